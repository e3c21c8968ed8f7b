// Bundles src/main.ts into dist/machine-id.cjs, or into the directory of --out. --check compares a new bundle with the
// committed one instead. --readable keeps names and white space, for debugging and for tests of what is evaluated.
import { build } from 'esbuild';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { minify } from 'terser';

const { values } = parseArgs({
  options: {
    check: { type: 'boolean' },
    out: { type: 'string', default: 'dist' },
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
  outfile: 'dist/machine-id.cjs',
  bundle: true,
  minify: !readable,
  // The build of yaml for browsers: ES modules, of which esbuild leaves out what is not used; 14 KB of the bundle less.
  alias: { yaml: resolve('node_modules/yaml/browser/dist/index.js') },
  platform: 'node',
  target: 'node18',
  format: 'cjs',
  // The source map is for debugging; it is neither committed nor shipped, so the bundle does not refer to it.
  sourcemap: 'external',
  legalComments: 'none',
  plugins: [{ name: 'node-own', setup: useNodesOwn }],
  banner: { js: banner },
  define: { __VERSION__: JSON.stringify(version), __DOCUMENTS__: 'false' },
  metafile: true,
  write: false,
});

/** esbuild gives out short names file by file; names given out over the whole make the compressed bundle 2 % smaller. */
async function shortenNames(files, path) {
  const map = `${path}.map`;
  const [text, sourceMap] = [path, map].map((name) => Buffer.from(files.get(name)).toString());
  const options = { compress: false, ecma: 2020, mangle: { toplevel: true } };
  const shorter = await minify(text, { ...options, sourceMap: { content: sourceMap, includeSources: true } });
  files.set(path, Buffer.from(shorter.code));
  files.set(map, Buffer.from(shorter.map));
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

/** @returns {Promise<string>} name, version and licence text of every package that has code in the bundle */
async function licences(metafile) {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs ?? {}));
  const packages = new Set(
    inputs
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
      .filter((name) => name !== undefined),
  );
  const texts = [];
  for (const name of [...packages].sort()) {
    const folder = join('node_modules', name);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e(\.md|\.txt)?$/i.test(entry));
    const text = file === undefined ? '' : (await readFile(join(folder, file), 'utf8')).replaceAll('\r\n', '\n').trim();
    texts.push(`${name} ${manifest.version} (${manifest.license})\n\n${text}\n`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

const files = new Map(result.outputFiles.map((file) => [file.path.slice(process.cwd().length + 1), file.contents]));
if (!readable) await shortenNames(files, 'dist/machine-id.cjs');
files.set('dist/LICENSES.txt', Buffer.from(await licences(result.metafile)));

if (check) {
  let stale = false;
  for (const [path, contents] of files) {
    if (path.endsWith('.map')) continue;
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
