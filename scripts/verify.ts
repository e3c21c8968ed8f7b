/**
 * `npm run verify -- X.Y.Z`: proves that the published orb of this version carries the script that its tag builds.
 *
 *   1. reads the published orb: `circleci orb source teleport/machine-id@X.Y.Z`, or the file of `--orb FILE`
 *   2. checks the tag vX.Y.Z out beside this tree and builds it there with `npm ci` and `npm run build`
 *   3. compares the digest in the orb with that of the script, and the script inside the orb with it byte for byte
 *
 * Exit code 0 when all agree, 1 when not, 2 when the arguments are wrong.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { orbFindings } from './release/verify-orb.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { orb: { type: 'string' } } });
const [version = ''] = positionals;
if (!/^\d+\.\d+\.\d+$/.test(version) || positionals.length > 1) {
  console.error('Usage: npm run verify -- X.Y.Z [--orb FILE]');
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), 'machine-id-verify-'));
const tree = join(folder, 'tree');
try {
  const orb = values.orb === undefined ? publishedOrb(version) : await readFile(values.orb, 'utf8');
  say(`building v${version}`);
  run('git', ['worktree', 'add', '--quiet', '--detach', tree, `v${version}`]);
  run('npm', ['ci', '--no-audit', '--no-fund', '--silent'], tree);
  run('npm', ['run', '--silent', 'build'], tree);
  const findings = orbFindings(orb, await readFile(join(tree, 'dist', 'machine-id.cjs')), version);
  for (const finding of findings) console.error(finding);
  say(findings.length === 0 ? `the orb ${version} carries what its tag builds` : 'NOT what its tag builds');
  process.exitCode = findings.length === 0 ? 0 : 1;
} finally {
  execFileSync('git', ['worktree', 'remove', '--force', tree], { stdio: 'ignore' });
  await rm(folder, { recursive: true, force: true });
}

function publishedOrb(wanted: string): string {
  say(`reading teleport/machine-id@${wanted} from the registry`);
  return execFileSync('circleci', ['orb', 'source', `teleport/machine-id@${wanted}`], { encoding: 'utf8' });
}

function run(program: string, args: readonly string[], cwd = '.'): void {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

function say(text: string): void {
  console.log(text);
}
