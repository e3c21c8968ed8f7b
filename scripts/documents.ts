/** Part of `npm run generate`: writes what is generated in docs/. The result is committed; CI compares it. */
import { writeFile } from 'node:fs/promises';
import { pictures } from './documents/pictures.ts';
import { referenceDocuments } from './documents/reference.ts';

for (const [path, text] of [...(await referenceDocuments()), ...(await pictures())]) await writeFile(path, text);
