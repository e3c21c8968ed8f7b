/** The documents of docs/reference with their generated parts filled from the declarations in the source. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { orbParts } from './orb-parts.ts';
import { partsOf, withParts } from './regions.ts';

const FOLDER = 'docs/reference';

/**
 * Text by path, as it should be.
 * @throws Error when a document has a part that nothing generates, or no document has a part that is generated
 */
export async function referenceDocuments(): Promise<ReadonlyMap<string, string>> {
  const parts = new Map([...(await orbParts())]);
  const style = await resolveConfig(join(FOLDER, 'x.md'));
  const unused = new Set(parts.keys());
  const documents = new Map<string, string>();
  for (const name of (await readdir(FOLDER)).toSorted()) {
    if (!name.endsWith('.md')) continue;
    const path = join(FOLDER, name);
    const text = await readFile(path, 'utf8');
    for (const part of partsOf(text)) unused.delete(part);
    documents.set(path, await format(withParts(path, text, parts), { ...style, parser: 'markdown' }));
  }
  if (unused.size > 0) throw new Error(`no document in ${FOLDER} shows ${[...unused].join(', ')}`);
  return documents;
}
