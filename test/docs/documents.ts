/** The project's own documents. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CodeBlock, codeBlocks } from './markdown.ts';

const AT_THE_ROOT = readdirSync('.').filter((name) => name.endsWith('.md'));
const BELOW_DOCS = readdirSync('docs', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name));

/** Text by path. */
export const documents: ReadonlyMap<string, string> = new Map(
  [...AT_THE_ROOT, ...BELOW_DOCS].map((path) => [path, readFileSync(path, 'utf8')]),
);

export function textOf(path: string): string {
  const text = documents.get(path);
  if (text === undefined) throw new Error(`there is no ${path}`);
  return text;
}

export const blocks: readonly CodeBlock[] = [...documents].flatMap(([path, text]) => codeBlocks(text, path));
