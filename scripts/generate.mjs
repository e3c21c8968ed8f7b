// Generates src/grpc/gen from proto/, and the generated parts of orb/ and docs/. The results are committed.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('src/grpc/gen', { recursive: true, force: true });
for (const command of [
  'buf generate',
  'prettier --log-level warn --write src/grpc/gen',
  'node scripts/run.mjs scripts/orb-generate.ts',
  'node scripts/run.mjs scripts/documents.ts',
]) {
  const [program, ...args] = command.split(' ');
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
