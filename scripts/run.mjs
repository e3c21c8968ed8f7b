// node scripts/run.mjs FILE ARGUMENT...: runs a TypeScript file of this repository. It is compiled before the import:
// a loader would compile in a second thread, for which the first one waits without a limit.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from './compile.mjs';

const [node, , file = '', ...args] = process.argv;
const root = resolve(import.meta.dirname, '..');
const folder = join(root, 'build/run');
const name = relative(root, resolve(file)).replaceAll(/[/\\]/g, '-').replace(/\.ts$/, '.mjs');

const { outputFiles } = await compile({ entryPoints: [resolve(file)], sourcemap: 'inline', write: false });
mkdirSync(folder, { recursive: true });
// Renamed into place, so that a concurrent run of the same file never reads an incomplete one.
const written = join(folder, `${process.pid}-${name}`);
writeFileSync(written, outputFiles[0].contents);
renameSync(written, join(folder, name));

process.setSourceMapsEnabled(true);
process.argv = [node, resolve(file), ...args];
await import(pathToFileURL(join(folder, name)).href);
