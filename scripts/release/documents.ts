/** The texts that refer to versions of the orb. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Documents, examples and the demo's config, by path. */
export async function documentsOf(root: string): Promise<ReadonlyMap<string, string>> {
  const paths = [
    ...(await listed(root, '.', '.md')),
    ...(await listed(root, 'docs', '.md')),
    ...(await listed(root, 'orb/examples', '.yml')),
    'scripts/demo/config.yml',
    'scripts/orb-pack/embedded.yml',
  ];
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(root, path), 'utf8')] as const)),
  );
}

async function listed(root: string, folder: string, ending: string): Promise<readonly string[]> {
  const names = await readdir(join(root, folder));
  return names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
}
