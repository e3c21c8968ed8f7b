/**
 * `npm run verify -- X.Y.Z`: verifies that the published orb of this version is the one that its tag builds.
 *
 *   1. reads the published orb: `circleci orb source teleport/machine-id@X.Y.Z`, or the file of `--orb FILE`;
 *      with `--variant embedded`, teleport/machine-id-embedded (scripts/orb-pack/variants.ts)
 *   2. checks out the tag vX.Y.Z in a temporary directory, and builds and packs it there
 *   3. compares the digest in the orb with that of the script, and the script inside the orb with it byte for byte
 *   4. compares every command, job, executor, example and description of the orb with what the tag packs
 *
 * Exit code 0 if they match, 1 if not, 2 if nothing was compared.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { orbDifferences } from './release/same-orb.ts';
import { orbFindings } from './release/verify-orb.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { orb: { type: 'string' }, variant: { type: 'string', default: 'whole' } },
});
const [version = ''] = positionals;
if (!/^\d+\.\d+\.\d+$/.test(version) || positionals.length > 1) {
  console.error('Usage: npm run verify -- X.Y.Z [--orb FILE] [--variant whole|download-only|embedded]');
  process.exit(2);
}

try {
  const orb = values.orb === undefined ? publishedOrb() : await readFile(values.orb, 'utf8');
  const { bundle, packed } = await builtByTag();
  const hasScript = values.variant !== 'download-only';
  const findings = [...orbFindings(orb, bundle, version, hasScript), ...orbDifferences(orb, packed)];
  for (const finding of findings) console.error(finding);
  console.log(findings.length === 0 ? `the orb ${version} matches its tag` : 'the orb DOES NOT MATCH its tag');
  process.exitCode = findings.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`nothing was compared: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}

function publishedOrb(): string {
  const name = `teleport/machine-id${values.variant === 'embedded' ? '-embedded' : ''}@${version}`;
  console.log(`reading ${name} from the registry`);
  return run('circleci', ['orb', 'source', name]);
}

async function builtByTag(): Promise<{ bundle: Buffer; packed: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'machine-id-verify-'));
  const tree = join(folder, 'tree');
  try {
    console.log(`building v${version}`);
    run('git', ['worktree', 'add', '--quiet', '--detach', tree, `v${version}`]);
    run('npm', ['ci', '--no-audit', '--no-fund', '--silent'], tree);
    run('npm', ['run', '--silent', 'build'], tree);
    run('npm', ['run', '--silent', 'orb:pack', '--', '--variant', values.variant], tree);
    return {
      bundle: await readFile(join(tree, 'dist', 'machine-id.cjs')),
      packed: await readFile(join(tree, 'build', 'orb.yml'), 'utf8'),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
    run('git', ['worktree', 'prune']);
  }
}

/** @returns the output of the program. @throws Error with its error output */
function run(program: string, args: readonly string[], cwd = '.'): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error !== undefined) throw new Error(`${program} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} failed: ${stderr.trim()}`);
  return stdout;
}
