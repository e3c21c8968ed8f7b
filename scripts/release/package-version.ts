/** The version in `package.json`, which everything else must have. */
import { readFile } from 'node:fs/promises';

/** Reads `package.json` in the current directory. */
export async function packageVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile('package.json', 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    if (typeof manifest.version === 'string') return manifest.version;
  }
  throw new Error('package.json has no version');
}
