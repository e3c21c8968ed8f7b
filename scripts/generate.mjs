// Generates the message code in src/teleport/gen from proto/; the result is committed.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('src/teleport/gen', { recursive: true, force: true });
const run = spawnSync('buf', ['generate'], { stdio: 'inherit' });
process.exit(run.status ?? 1);
