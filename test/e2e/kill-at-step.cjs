// Preloaded into the bundle (NODE_OPTIONS=--require): ends its process by SIGKILL right before the change to the folder
// KILL_FOLDER that has the number KILL_AT, counted from 1, and writes the number of changes to KILL_COUNT when it ends itself.
'use strict';
const fs = require('node:fs');

const { KILL_AT, KILL_COUNT, KILL_FOLDER } = process.env;
const { closeSync, openSync, writeSync } = fs;
let changes = 0;

function counted(work) {
  return (path, ...rest) => {
    if (typeof path === 'string' && path.startsWith(`${KILL_FOLDER}/`)) {
      changes += 1;
      if (changes === Number(KILL_AT)) process.kill(process.pid, 'SIGKILL');
    }
    return work(path, ...rest);
  };
}

for (const name of ['openSync', 'linkSync', 'renameSync', 'unlinkSync']) fs[name] = counted(fs[name]);

process.once('exit', () => {
  const file = openSync(KILL_COUNT, 'w');
  writeSync(file, String(changes));
  closeSync(file);
});
