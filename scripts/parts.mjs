// Joins the files of an esbuild build with `splitting` into one CommonJS file that parses only what a command needs.
//
// The file is a list of functions, one for each part: a set of modules that are always needed together. A part that not every
// command needs is a comment inside its function, and V8 skips comments 30 times faster than code. `load` takes the comment
// from the function's source text and compiles it. Nothing is read from the disk, and nothing is decoded.
import { basename } from 'node:path';

/** What each part gets; the names of the module wrapper of CommonJS, with ours for other parts. */
const SCOPE = '(load, loadLater, require, process, __filename)';

/** With a comment for those who read the bundle. */
const LOADER = `// Parts that a command does not need stay comments, which Node.js skips; "load" compiles those that it needs.
const loaded = new Map();
const load = (id) => {
  if (!loaded.has(id)) loaded.set(id, (FIRST[id] || compiled(id))${SCOPE});
  return loaded.get(id);
};
const loadLater = async (id) => (typeof id === "string" ? require(id) : load(id));
const compiled = (id) => {
  const lines = LATER[id].toString().split("\\n//").slice(1).join("\\n");
  const source = lines.slice(0, lines.lastIndexOf("\\n"));
  return new (require("node:vm").Script)(source, { filename: __filename + "#" + id }).runInThisContext();
};
`;

/**
 * @param {{ path: string; text: string }[]} files of a build in the format `esm`, its white space not minified
 * @param {import('esbuild').Metafile['outputs']} outputs of the same build
 * @param {(code: string) => Promise<string>} shorten the body of a function
 * @returns {Promise<string>} JavaScript
 */
export async function joinParts(files, outputs, shorten) {
  const infos = new Map(Object.entries(outputs).map(([path, info]) => [basename(path), info]));
  const texts = new Map(files.map(({ path, text }) => [basename(path), text]));
  const names = [...texts.keys()].sort((one, other) => (orderOf(infos.get(one)) < orderOf(infos.get(other)) ? -1 : 1));
  const ids = new Map(names.map((name, at) => [name, String(at)]));
  const first = neededBy('main.js', infos);
  const parts = { FIRST: [], LATER: [] };
  for (const name of names) {
    // In parentheses, V8 compiles a function at once, instead of only checking its syntax first; but not an arrow function.
    const code = `(function${SCOPE}{"use strict";${await shorten(bodyOf(texts.get(name), ids))}})`;
    if (first.has(name)) parts.FIRST.push(`${ids.get(name)}: ${code},\n`);
    else parts.LATER.push(`${ids.get(name)}() {\n//${code.replaceAll('\n', '\n//')}\n},\n`);
  }
  const lists = Object.entries(parts).map(([list, of]) => `const ${list} = {\n${of.join('')}};\n`);
  return `${LOADER}${lists.join('')}load(${ids.get('main.js')});\n`;
}

/** The names that esbuild gives change with every change of the code. */
function orderOf({ entryPoint, inputs }) {
  return [entryPoint ?? '', ...Object.keys(inputs)].join('\n');
}

/** @returns {Set<string>} this file and those that it imports, directly or not, when it is loaded */
function neededBy(name, infos, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const { external, kind, path } of infos.get(name).imports) {
    if (external !== true && kind === 'import-statement') neededBy(basename(path), infos, found);
  }
  return found;
}

/** The statements of esbuild that imports and exports become; each is a line, or several for long lists. */
const STATEMENTS =
  /^(?:import (?:(?<all>\w+)|\* as (?<namespace>\w+)|\{(?<named>[^}]*)\}|(?<both>\w+), \{(?<others>[^}]*)\}) from |(?<only>import ))"(?<from>[^"\n]+)";$|^export \{(?<exported>[^}]*)\};$|^export default (?<value>.*);$|\bimport\("(?<later>(?:\.\/|node:)[^"\n]+)"\)/gm;

/** The body of a function that returns what the module exports. Imported values are those at the time of the import. */
function bodyOf(text, ids) {
  return text.replaceAll(STATEMENTS, (...match) => {
    const { all, both, exported, from, later, named, namespace, others, only, value } = match.at(-1);
    if (later !== undefined) return `loadLater(${later.startsWith('./') ? idOf(later, ids) : JSON.stringify(later)})`;
    if (value !== undefined) return `return { default: ${value} };`;
    if (exported !== undefined) return `return {${exported.replaceAll(/([\w$]+) as ([\w$]+)/g, '$2: $1')}};`;
    const module = from.startsWith('./') ? `load(${idOf(from, ids)})` : `require(${JSON.stringify(from)})`;
    if (only !== undefined) return `${module};`;
    const whole = all ?? both ?? namespace;
    const members = named ?? others;
    const bindings = [whole, members === undefined ? undefined : `{${members.replaceAll(/ as /g, ': ')}}`];
    return bindings
      .filter((one) => one !== undefined)
      .map((one) => `const ${one} = ${module};`)
      .join(' ');
  });
}

function idOf(path, ids) {
  const id = ids.get(basename(path));
  if (id === undefined) throw new Error(`no file of the build is called ${path}`);
  return id;
}
