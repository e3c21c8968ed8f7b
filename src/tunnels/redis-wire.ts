/** Redis' protocol (RESP), as far as a tunnel needs it. */
import { readAnswer, refusedBy, type Wire } from './wire.ts';

const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');
/** A server that wants a password, or refuses this one command, is there. */
const STILL_THERE = /^-(NOAUTH|NOPERM|LOADING|BUSY|MASTERDOWN|READONLY)\b/;

export const redisWire: Wire = {
  probe: async (upstream, signal) => {
    upstream.write(PING);
    await readAnswer(upstream, signal, (bytes) => {
      const end = bytes.indexOf('\r\n');
      if (end === -1) return undefined;
      const line = bytes.toString('utf8', 0, end);
      if (line.startsWith('-') && !STILL_THERE.test(line)) throw refusedBy('the database', line.slice(1));
      return true;
    });
  },
  refuse: (client, reason) => {
    client.end(`-ERR ${reason.replace(/[\r\n]+/g, ' ')}\r\n`);
  },
};
