import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { importsOf, moduleNames, roomOf, ROOMS, SOURCE, sourceFiles } from '../scripts/documents/source-rooms.ts';

const ORDER = ROOMS.map(([name]) => name);

function level(file: string): number {
  const at = ORDER.indexOf(roomOf(file));
  assert.notEqual(at, -1, `${file} is in a folder that scripts/documents/source-rooms.ts does not list`);
  return at;
}

const files = sourceFiles(SOURCE);
const ownFiles = files.filter((file) => !file.startsWith(join(SOURCE, 'grpc', 'gen')));

test('folders import one way only, downwards', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => level(target) < level(file))
      .map((target) => `${file} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('no files import each other in a circle, types included', () => {
  const targets = new Map(files.map((file) => [file, importsOf(file)]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (done.has(file) || path.includes(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  assert.deepEqual(circles, []);
});

test('only main.ts, process.ts and effects/ name the process, files, timers or the wall clock', () => {
  const world =
    /\bprocess\.|['"]node:(fs|child_process|timers)|\bset(Timeout|Interval|Immediate)\(|\bDate\.now\(|\bnew Date\(\)|performance\.now\(/;
  const wrong = ownFiles.filter(
    (file) =>
      !/^src\/(main\.ts|process\.ts|effects\/)/.test(file) && world.test(withoutComments(readFileSync(file, 'utf8'))),
  );
  assert.deepEqual(wrong, []);
});

/** What opens connections or sends requests, and the files that do: through `net/network.ts`, or over what it opened. */
const OPENERS: readonly (readonly [module: RegExp, names: RegExp, files: readonly string[]])[] = [
  [/^node:net$/, /\b(connect|createConnection)\b/, ['src/net/tcp.ts']],
  [/^node:tls$/, /\bconnect\b/, ['src/net/probe.ts', 'src/net/tls.ts']],
  [/^node:https?$/, /./, ['src/net/agent.ts', 'src/net/http-connect.ts', 'src/net/http-forward.ts']],
  [/^node:http2$/, /\bconnect\b/, ['src/grpc/session.ts']],
  [/^node-fetch$/, /\bfetch\b/, ['src/net/agent.ts']],
  [/^node:dgram$/, /./, []],
];

test('one file opens connections, so that none goes around an HTTP or SOCKS proxy', () => {
  const users = OPENERS.map(([module, names]) =>
    ownFiles.filter((file) =>
      valueImports(readFileSync(file, 'utf8')).some(
        ([imported, from]) => module.test(from) && (imported === WHOLE || names.test(imported)),
      ),
    ),
  );
  assert.deepEqual(
    users,
    OPENERS.map(([, , files]) => files),
  );
});

const WHOLE = '*';

/** What is imported besides types, with its module; `WHOLE` if an import when it is needed does not name what it uses. */
function valueImports(text: string): readonly (readonly [names: string, module: string])[] {
  const imports = text.matchAll(/^import (?!type\b)([^;]*?) from '([^']+)';/gm);
  const later = withoutComments(text).matchAll(/(?:const \{([^}]*)\} = await )?\bimport\('([^']+)'\)/g);
  return [
    ...[...imports].map(
      ([, names = '', module = '']) => [names.replace(/\btype \w+( as \w+)?,?/g, ''), module] as const,
    ),
    ...[...later].map(([, names = WHOLE, module = '']) => [names, module] as const),
  ];
}

test('the sources use nothing that Node 18 lacks', () => {
  const newer =
    /\.(toReversed|toSorted|toSpliced|isWellFormed|toWellFormed|groupBy|fromAsync|withResolvers)\(|\bimport\.meta\.dirname\b/;
  const wrong = ownFiles.filter((file) => newer.test(withoutComments(readFileSync(file, 'utf8'))));
  assert.deepEqual(wrong, []);
});

test('the product and its test cluster share no code', () => {
  const shared = [...sourceFiles('src'), ...sourceFiles('test/cluster')].flatMap((file) =>
    importsOf(file)
      .filter((target) => file.startsWith('src/') !== target.startsWith('src/'))
      .map((target) => `${file} imports ${target}`),
  );
  assert.deepEqual(shared, []);
});

test('every source file says its one duty in its first line', () => {
  const wrong = ownFiles.filter((file) => !readFileSync(file, 'utf8').startsWith('/**'));
  assert.deepEqual(wrong, []);
});

test('no text for people leaves the plural open', () => {
  const texts = [...ownFiles, 'README.md', ...below('docs'), ...below('orb')];
  const open = texts
    .filter((file) => /\.(ts|md|yml|sh)$/.test(file))
    .filter((file) => /(?<!http)\(s\)/.test(readFileSync(file, 'utf8')));
  assert.deepEqual(open, []);
});

/** test/fresh-key.ts says why; a key of X25519 is never exported as a JWK. */
test('no key pair is generated synchronously, because exporting such a key can hang', () => {
  const wrong = [...files, ...sourceFiles('test')].filter((file) =>
    /generateKeyPairSync\((?!'x25519')/.test(readFileSync(file, 'utf8')),
  );
  assert.deepEqual(wrong, []);
});

/** These set the limits themselves. */
const OWN_LIMITS = [
  join('test', 'programs.ts'),
  join('test', 'job-runner', 'shell.ts'),
  join('test', 'e2e', 'in-process.ts'), // passes on the calls of the bundle, which has its own
];

/** One program that waits without a limit costs its whole file, and the report names no test. */
test('every program that a test starts has an end to its time', () => {
  const unbounded = sourceFiles('test')
    .filter((file) => !OWN_LIMITS.includes(file))
    .flatMap((file) => {
      const calls = /(?<![.\w])(?:spawnSync|execFileSync|execSync|execFile|exec|fork)\(|(?<!bounded\(\s*)\bspawn\(/g;
      const text = readFileSync(file, 'utf8');
      return [...text.matchAll(calls)]
        .filter(({ index }) => !/^spawn\([^;]*\btimeout:/.test(text.slice(index)))
        .map(({ 0: call }) => `${file}: ${call}`);
    });
  assert.deepEqual(unbounded, []);
});

test('unit tests start no server and not the bundle', () => {
  const units = sourceFiles('test').filter((file) => existsSync(join(SOURCE, file.split('/')[1] ?? '')));
  const beyond =
    /\/(?:e2e|connections|job-runner\/run-job)\b|\/cluster\/cluster\b|\/orb\/orb-job\b|node:(?:http|https|http2|tls)$/;
  const wrong = units.flatMap((file) =>
    moduleNames(readFileSync(file, 'utf8'))
      .filter((name) => beyond.test(name))
      .map((name) => `${file} imports ${name}`),
  );
  assert.ok(units.length > 100);
  assert.deepEqual(wrong, []);
});

function below(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}
