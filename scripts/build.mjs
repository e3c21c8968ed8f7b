// Bundles src/main.ts into dist/machine-id.cjs, or into the directory of --out. --check compares a new bundle with the
// committed one instead. --readable keeps names and white space, for debugging and for tests of what is evaluated.
// --packages FILE writes which packages have code in the bundle, for the SBOM.
import { build } from 'esbuild';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { minify } from 'terser';
import { joinParts } from './parts.mjs';

const { values } = parseArgs({
  options: {
    check: { type: 'boolean' },
    out: { type: 'string', default: 'dist' },
    packages: { type: 'string' },
    readable: { type: 'boolean', default: false },
  },
});
const { check, out, readable } = values;
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

// An older Node would fail later with an unclear message.
const banner = `#!/usr/bin/env node
if(parseInt(process.versions.node)<18){console.error("error: Node 18 or later is needed, this is "+process.version);process.exit(1)}`;

const result = await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  minifyIdentifiers: !readable,
  minifySyntax: !readable,
  // The build of yaml for browsers: ES modules, of which esbuild leaves out what is not used; 14 KB of the bundle less.
  alias: { yaml: resolve('node_modules/yaml/browser/dist/index.js') },
  platform: 'node',
  target: 'node18',
  format: 'esm',
  legalComments: 'none',
  plugins: [{ name: 'node-own', setup: useNodesOwn }],
  define: { __VERSION__: JSON.stringify(version), __DOCUMENTS__: 'false' },
  metafile: true,
  write: false,
});

/**
 * esbuild gives out short names file by file; names given out over a whole part make the compressed bundle 2 % smaller. A
 * single character that is not ASCII would make V8 keep the whole bundle with two bytes for each.
 */
async function shorten(code) {
  if (readable) return code;
  const options = { compress: false, ecma: 2020, mangle: { toplevel: true }, format: { ascii_only: true } };
  return (await minify(code, { ...options, parse: { bare_returns: true } })).code;
}

/** Replaces packages by what Node has; saves about 11 KB. */
function useNodesOwn({ onResolve }) {
  const path = resolve('scripts/node-own.cjs');
  onResolve(
    { filter: /^(web-streams-polyfill|fetch-blob|formdata-polyfill|data-uri-to-buffer)\b|\/multipart-parser\.js$/ },
    () => ({
      path,
    }),
  );
}

/** @returns {Promise<object[]>} name, version, licence, folder, and in the bundle bytes and files, of each package in it */
async function packagesIn({ outputs }) {
  const folders = new Map();
  for (const [path, { bytesInOutput }] of Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs))) {
    const [, folder] = /^((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
    if (folder === undefined || bytesInOutput === 0) continue;
    const { bytes, paths } = folders.get(folder) ?? { bytes: 0, paths: [] };
    folders.set(folder, { bytes: bytes + bytesInOutput, paths: [...paths, path] });
  }
  const found = [...folders].map(async ([folder, bundled]) => {
    const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    return { name, version, licence: license, folder, ...bundled };
  });
  return (await Promise.all(found)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @returns {Promise<string>} name, version and licence text of each package */
async function notices(packages) {
  const texts = packages.map(
    async (one) => `${one.name} ${one.version} (${one.licence})\n\n${(await licenceText(one)).trim()}\n`,
  );
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

/** The licence file of a package; without one, what its bundled files begin with, and the text that they refer to. */
async function licenceText({ folder, name, paths }) {
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e(\.md|\.txt)?$/i.test(entry));
  if (file !== undefined) return (await readFile(join(folder, file), 'utf8')).replaceAll('\r\n', '\n');
  const sources = await Promise.all([...paths].sort().map((path) => readFile(path, 'utf8')));
  const comments = new Set(sources.map((source) => /^(?:\/\/.*\n)*/.exec(source)[0].replaceAll(/^\/\/ ?/gm, '')));
  const texts = [...comments].filter((text) => text.startsWith('Copyright'));
  if (texts.length === 0) throw new Error(`${name} has no licence text`);
  if (texts.some((text) => text.includes('Apache License'))) texts.push(await readFile('LICENSE', 'utf8'));
  return texts.join('\n');
}

const script = `${banner}\n${await joinParts(result.outputFiles, result.metafile.outputs, shorten)}`;
const files = new Map([['dist/machine-id.cjs', Buffer.from(script)]]);
const packages = await packagesIn(result.metafile);
files.set('dist/LICENSES.txt', Buffer.from(await notices(packages)));
if (values.packages !== undefined) await writeFile(values.packages, JSON.stringify(packages));

if (check) {
  let stale = false;
  for (const [path, contents] of files) {
    const committed = await readFile(path).catch(() => Buffer.alloc(0));
    if (!committed.equals(contents)) {
      console.error(
        `${path} differs from a build of the sources (committed ${committed.length} bytes, built ${contents.length})`,
      );
      stale = true;
    }
  }
  if (stale) {
    console.error('run "npm run build" and commit dist/');
    process.exit(1);
  }
  console.log('dist/ matches the sources');
} else {
  await mkdir(out, { recursive: true });
  for (const [path, contents] of files) await writeFile(join(out, basename(path)), contents);
  console.log(`${out}/machine-id.cjs ${files.get('dist/machine-id.cjs').length} bytes`);
}
