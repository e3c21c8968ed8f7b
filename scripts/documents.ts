/** Part of `npm run generate`: writes the generated parts of docs/reference. The result is committed; CI compares it. */
import { writeFile } from 'node:fs/promises';
import { referenceDocuments } from './documents/reference.ts';

for (const [path, text] of await referenceDocuments()) await writeFile(path, text);
