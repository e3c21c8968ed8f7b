/** Part of `npm run generate`: writes what is generated in orb/. The result is committed; CI compares it. */
import { writeFile } from 'node:fs/promises';
import { orbComponents } from './orb-generate/components.ts';

for (const [path, text] of await orbComponents()) await writeFile(path, text);
