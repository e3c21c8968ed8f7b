import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { compiled, runProgram } from '../programs.ts';
import { expectedFailures, withoutRunner } from './expected-failures.ts';

test(
  'the gRPC client passes the gRPC cases of connectrpc/conformance, except the expected failures',
  { skip: withoutRunner('connectconformance') },
  async (context) => {
    const config = join(import.meta.dirname, 'grpc-config.yaml');
    const known = expectedFailures('grpc').flatMap((pattern) => ['--known-failing', pattern]);
    const client = [process.execPath, compiled('test/conformance/grpc-client.ts')];
    const args = ['--mode', 'client', '--conf', config, ...known, '--', ...client];
    const { exitCode, stderr, stdout } = await runProgram('connectconformance', args, { timeoutMs: 100_000 });
    assert.equal(exitCode, 0, stdout + stderr);
    const [, total = '', passed = ''] = /Total cases: (\d+)\n(\d+) passed, 0 failed/.exec(stdout + stderr) ?? [];
    const counts = { suite: 'connectrpc/conformance', cases: Number(total), passed: Number(passed) };
    context.diagnostic(JSON.stringify(counts));
    assert.ok(Number(total) >= 131 && Number(passed) >= 102, stdout + stderr);
  },
);
