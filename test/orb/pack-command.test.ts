import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { compiled, missing, runProgramSync } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { textAt } from './walk.ts';

interface Ended {
  readonly exitCode: number;
  readonly output: string;
}

function start(program: string, args: readonly string[], cwd = '.'): Ended {
  const { exitCode, stdout, stderr } = runProgramSync(program, args, { cwd });
  return { exitCode, output: stdout + stderr };
}

/** `npm run orb:pack -- …` with the real script, which takes a second to compress. */
function packReal(folder: string, ...args: string[]): Ended {
  return start(process.execPath, [compiled('scripts/orb-pack.ts'), '--out', join(folder, 'orb.yml'), ...args]);
}

/** As `packReal`, with a small file in place of the script. */
function pack(folder: string, ...args: string[]): Ended {
  return packReal(folder, '--bundle', 'package.json', ...args);
}

test('yamllint finds nothing in the written tree', { skip: missing('yamllint') }, async (context) => {
  const folder = await temporaryFolder(context);
  for (const variant of ['whole', 'download-only', 'embedded']) {
    const tree = join(folder, variant);
    const packed = (variant === 'embedded' ? packReal : pack)(folder, '--variant', variant, '--tree', tree);
    assert.equal(packed.exitCode, 0, packed.output);
    // yamllint takes .yamllint from the folder that it is started in: the checkout in orb-tools/lint, or the tree itself.
    assert.deepEqual(start('yamllint', ['--strict', tree]), { exitCode: 0, output: '' });
    assert.deepEqual(start('yamllint', ['--strict', '.'], tree), { exitCode: 0, output: '' });
  }
});

test('yamllint reports a violation in the tree', { skip: missing('yamllint') }, async (context) => {
  const folder = await temporaryFolder(context);
  pack(folder, '--tree', join(folder, 'tree'));
  const without = start('yamllint', ['-d', 'extends: default', join(folder, 'tree')]);
  assert.equal(without.exitCode, 1);
  assert.match(without.output, /line too long/);
});

test('the tree of an earlier run is replaced, and other files are kept', async (context) => {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, 'commands'));
  await writeFile(join(folder, 'commands/old.yml'), 'steps: []\n');
  await writeFile(join(folder, 'note'), 'mine');
  assert.equal(pack(folder, '--tree', folder).exitCode, 0);
  await assert.rejects(stat(join(folder, 'commands/old.yml')), { code: 'ENOENT' });
  assert.equal(await readFile(join(folder, 'note'), 'utf8'), 'mine');
});

test('--dev packs an orb that needs no release to download from', async (context) => {
  const folder = await temporaryFolder(context);
  assert.equal(pack(folder, '--dev').exitCode, 0);
  const orb: unknown = parse(await readFile(join(folder, 'orb.yml'), 'utf8'));
  assert.equal(textAt(orb, 'commands.install.parameters.delivery.default'), 'embedded');
  assert.equal(textAt(orb, 'jobs.run.parameters.delivery.default'), 'embedded');
});

const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [['--variant', 'small'], /--variant must be one of whole, download-only, embedded, delegating, got "small"/],
  [['--dev', '--variant', 'embedded'], /--dev needs the variant whole/],
  [['--variant', 'delegating', '--tree', 'build/never'], /--tree cannot be combined with the variant delegating/],
  [['--tree', 'orb/'], /--tree must not name the source folder/],
];

for (const [args, message] of refused) {
  test(`orb:pack ${args.join(' ')} is rejected`, async (context) => {
    const { exitCode, output } = pack(await temporaryFolder(context), ...args);
    assert.equal(exitCode, 1);
    assert.match(output, message);
  });
}
