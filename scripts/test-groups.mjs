// Which test files share a process. Starting Node, loading what a file imports and compiling what it runs takes most of the
// time of a small file; the later files of a process need almost none of it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Hooks at the top level of a file apply to every test of its process. Only `after` is safe: it runs when all have ended. */
const HOOK_OF_PROCESS = /^(?:before|beforeEach|afterEach)\(/m;

/** Another file of the process would see it. */
const CHANGES_PROCESS = /\bprocess\.env\.\w+ = |\bprocess\.chdir\(/;

/**
 * @param {string[]} files sorted paths
 * @param {(file: string) => number} sizeOf how many files like this one share a process
 * @returns {{ name: string; files: string[] }[]} groups of files from the same folder; a file that must be alone has its own
 */
export function groupsOf(files, sizeOf) {
  const groups = [];
  const open = new Map();
  for (const file of files) {
    const [, folder] = file.split('/');
    const size = isAlone(file) ? 1 : sizeOf(file);
    const group = size === 1 ? undefined : open.get(folder);
    if (group !== undefined && group.files.length < size) {
      group.files.push(file);
      continue;
    }
    const started = { name: file.replace(/\.test\.ts$/, ''), files: [file] };
    groups.push(started);
    if (size > 1) open.set(folder, started);
  }
  return groups;
}

function isAlone(file) {
  const source = readFileSync(file, 'utf8');
  return HOOK_OF_PROCESS.test(source) || CHANGES_PROCESS.test(source);
}

/**
 * Writes the file that runs a group. Its tests wait until all files are loaded: otherwise, Node takes the process as finished
 * when the tests of the first ones have ended.
 *
 * @param {{ name: string; files: string[] }} group
 * @param {string} out where the compiled files are
 * @returns {string} the path of the file to run
 */
export function writeGroup({ files, name }, out) {
  const compiled = files.map((file) => join(out, file.replace(/\.ts$/, '.js')));
  const [first] = compiled;
  if (compiled.length === 1) return first;
  const path = join(out, 'groups', `${name}-and-${files.length - 1}-more.js`);
  const paths = compiled.map((file) => `./${relative(dirname(path), file)}`);
  const text = `import { before, test } from 'node:test';
const load = async () => {
  for (const path of ${JSON.stringify(paths)}) {
    await import(path).catch((error) => {
      test(path + ' can be loaded', () => Promise.reject(error));
    });
  }
};
const loaded = load();
before(() => loaded);
`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}
