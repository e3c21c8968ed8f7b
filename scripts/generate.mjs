// Generates the message code in src/teleport/gen from proto/; the result is committed.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('src/teleport/gen', { recursive: true, force: true });
for (const command of ['buf generate', 'prettier --log-level warn --write src/teleport/gen']) {
  const [program, ...args] = command.split(' ');
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
