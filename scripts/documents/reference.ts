/** The documents with generated parts, filled from the declarations in the source. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { cliParts } from './cli-parts.ts';
import { conformancePage } from './conformance-page.ts';
import { figureParts } from './figure-parts.ts';
import { lintParts } from './lint-parts.ts';
import { orbParts } from './orb-parts.ts';
import { outputParts } from './output-parts.ts';
import { type Parts, partsOf, withParts } from './regions.ts';
import { settingParts } from './setting-parts.ts';
import { roomParts } from './source-rooms.ts';

const FOLDER = 'docs/reference';

/**
 * Text by path, as it should be.
 * @throws Error when a document has a part that nothing generates, or no document has a part that is generated
 */
export async function referenceDocuments(): Promise<ReadonlyMap<string, string>> {
  const parts = united([
    await orbParts(),
    await cliParts(),
    roomParts(),
    settingParts(),
    outputParts(),
    lintParts(),
    await figureParts(),
  ]);
  const style = await resolveConfig(join(FOLDER, 'x.md'));
  const unused = new Set(parts.keys());
  const documents = new Map<string, string>();
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.md')).toSorted();
  for (const path of [
    'ARCHITECTURE.md',
    'docs/explanation/how-it-works.md',
    ...names.map((name) => join(FOLDER, name)),
  ]) {
    const text = await readFile(path, 'utf8');
    for (const part of partsOf(text)) unused.delete(part);
    documents.set(path, await format(withParts(path, text, parts), { ...style, parser: 'markdown' }));
  }
  const page = await conformancePage();
  documents.set(page.path, await format(page.text, { ...style, parser: 'markdown' }));
  if (unused.size > 0) throw new Error(`no document shows ${[...unused].join(', ')}`);
  return documents;
}

/** @throws Error when two generate a part of the same name */
function united(all: readonly Parts[]): Parts {
  const parts = new Map<string, string>();
  for (const [name, text] of all.flatMap((one) => [...one])) {
    if (parts.has(name)) throw new Error(`"${name}" is generated twice`);
    parts.set(name, text);
  }
  return parts;
}
