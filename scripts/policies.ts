/** npm run policies: compiles policies/ with the program `opa` to the WebAssembly that the tests evaluate. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const SOURCES = 'policies';
const COMPILED = 'test/policies/policies';

mkdirSync('build', { recursive: true });
const names = readdirSync(SOURCES).sort();
const folder = mkdtempSync('build/policies-');
try {
  const bundle = join(folder, 'bundle.tar.gz');
  // CircleCI documents the language as it was before version 1 of OPA.
  const entries = entrypoints().flatMap((name) => ['-e', `org/${name}`]);
  execFileSync('opa', ['build', '--v0-compatible', '-t', 'wasm', ...entries, '-o', bundle, SOURCES]);
  execFileSync('tar', ['-xzf', bundle, '-C', folder, '/policy.wasm']);
  const wasm = readFileSync(join(folder, 'policy.wasm'));
  const opa = /^Version: (.+)$/m.exec(execFileSync('opa', ['version'], { encoding: 'utf8' }))?.[1];
  const sources = Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(SOURCES, name)))
        .digest('hex'),
    ]),
  );
  writeFileSync(`${COMPILED}.wasm.gz`, gzipSync(wasm, { level: 9 }));
  writeFileSync(`${COMPILED}.json`, `${JSON.stringify({ opa, sources }, null, 2)}\n`);
  console.log(`${COMPILED}.wasm.gz: ${wasm.length} bytes before compression`);
} finally {
  rmSync(folder, { recursive: true });
}

/** What CircleCI reads: the lists of names, and each rule that is enabled. */
function entrypoints(): readonly string[] {
  const text = names.map((name) => readFileSync(join(SOURCES, name), 'utf8')).join('\n');
  const rules = [...text.matchAll(/^enable_rule\["(\w+)"\]/gm)].map(([, rule = '']) => rule);
  return ['policy_name', 'enable_rule', 'hard_fail', ...rules];
}
