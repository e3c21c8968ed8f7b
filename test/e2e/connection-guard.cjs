// Preloaded into the bundle (NODE_OPTIONS=--require): appends a line to the file GUARD_FILE for each TCP connection that its
// process opens and each name that it looks up.
'use strict';
const dns = require('node:dns');
const { appendFileSync } = require('node:fs');
const net = require('node:net');

const note = (line) => appendFileSync(process.env.GUARD_FILE, `${line}\n`);

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [options] = args.flat();
  note(`connect ${options.host ?? ''}:${options.port ?? options.path ?? ''}`);
  return connect.apply(this, args);
};

for (const place of [dns, dns.promises]) {
  const { lookup } = place;
  place.lookup = (name, ...rest) => {
    note(`lookup ${name}`);
    return lookup(name, ...rest);
  };
}
