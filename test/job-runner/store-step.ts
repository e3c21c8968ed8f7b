/** `store_artifacts` and `store_test_results`: lists the files that CircleCI would store. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { substitute } from './expressions.ts';
import type { Values } from './expressions.ts';
import { mapping, optionalText, requireKeys, text } from './mapping.ts';

export interface StoreStep {
  readonly kind: 'store';
  readonly name: string;
  /** Relative to the working directory; variables in it are not expanded. */
  readonly path: string;
}

/** Both run after a failure too. */
const NAMES = { store_artifacts: 'Uploading artifacts', store_test_results: 'Uploading test results' } as const;

export function resolveStore(kind: keyof typeof NAMES, body: unknown, values: Values, where: string): StoreStep {
  const step = mapping(substitute(mapping(body, where), values, where), where);
  requireKeys(step, kind === 'store_artifacts' ? ['name', 'path', 'destination'] : ['name', 'path'], where);
  return {
    kind: 'store',
    name: optionalText(step.name, `${where}.name`) ?? NAMES[kind],
    path: text(step.path, `${where}.path`),
  };
}

/** One line per file. A path without files does not fail the job. */
export async function storedFiles(
  { path }: StoreStep,
  { home = '', workingDirectory }: { readonly home: string | undefined; readonly workingDirectory: string },
): Promise<string> {
  const root = resolve(workingDirectory, path.replace(/^~(?=\/|$)/, home));
  const there = await stat(root).catch(() => undefined);
  if (there === undefined) return 'No files found\n';
  if (there.isFile()) return `${root}\n`;
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return files.length === 0 ? 'No files found\n' : `${files.sort().join('\n')}\n`;
}
