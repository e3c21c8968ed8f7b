// The reporter of Node's test runner, with positions in the compiled tests replaced by those in the sources. Node's own
// `--enable-source-maps` reads the maps of all files that a process loads, a fifth of a second; here only a failure needs one.
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';

const OUT = resolve(process.env.TEST_BUILD ?? 'build/tests');

/** By URL, by path, or relative to the working directory. */
const NAMES = [pathToFileURL(OUT), OUT, relative('.', OUT)].join('|');
const POSITION = new RegExp(`(?:${NAMES})/([^\\s()'":]+\\.js):(\\d+):(\\d+)`, 'g');

const maps = new Map();

/** @param {AsyncIterable<unknown>} events of Node's test runner */
export default async function* report(events) {
  for await (const chunk of Readable.from(events).pipe(new spec())) yield withSources(chunk.toString());
}

/**
 * @param {string} text
 * @returns {string} the same, with positions of the sources, relative to the working directory
 */
export function withSources(text) {
  return text.replace(POSITION, (compiled, file, line, column) => {
    const entry = mapOf(resolve(OUT, file))?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry?.originalSource === undefined) return compiled;
    const source = relative('.', resolve(OUT, dirname(file), entry.originalSource));
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function mapOf(file) {
  if (!maps.has(file)) maps.set(file, existsSync(`${file}.map`) ? read(`${file}.map`) : undefined);
  return maps.get(file);
}

function read(path) {
  return new SourceMap(JSON.parse(readFileSync(path, 'utf8')));
}
