/** Keeps the files of `save_cache` in a folder, which stands in for CircleCI's store. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runProgram } from '../programs.ts';
import type { RestoreCacheStep, SaveCacheStep } from './cache-step.ts';

export interface CachePlace {
  /** Folder that keeps the caches from one job to the next. */
  readonly store: string;
  /** Home directory of the job's user, for `~`. */
  readonly home: string | undefined;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface CacheResult {
  readonly exitCode: number;
  /** Text that the step prints. */
  readonly stdout: string;
}

/** A cache is never overwritten: an existing one with the same key stays. */
export async function saveCache(step: SaveCacheStep, place: CachePlace): Promise<CacheResult> {
  return orFailure(async () => {
    const key = await filled(step.key, place);
    const file = join(place.store, encodeURIComponent(key));
    if (existsSync(file)) return `Skipping cache generation, cache already exists for key: ${key}\n`;
    const paths = step.paths.map((path) => fromHome(path, place)).filter(existsSync);
    if (paths.length === 0) return `Skipping cache generation, nothing to save for key: ${key}\n`;
    await tar(['-cPf', `${file}.new`, ...paths]);
    await rename(`${file}.new`, file);
    return `Stored Cache to ${key}\n`;
  });
}

/** The first key that matches a cache, exactly or as its beginning. */
export async function restoreCache(step: RestoreCacheStep, place: CachePlace): Promise<CacheResult> {
  return orFailure(async () => {
    for (const template of step.keys) {
      const key = await filled(template, place);
      const found = (await readdir(place.store)).map(decodeURIComponent).filter((saved) => saved.startsWith(key));
      const [saved] = found.includes(key) ? [key] : found;
      if (saved === undefined) continue;
      await tar(['-xPf', join(place.store, encodeURIComponent(saved))]);
      return `Found a cache: ${saved}\n`;
    }
    return 'No cache is found\n';
  });
}

async function tar(args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram('tar', args);
  if (exitCode !== 0) throw new Error(`tar ended with ${exitCode}: ${stderr}`);
}

async function orFailure(act: () => Promise<string>): Promise<CacheResult> {
  try {
    return { exitCode: 0, stdout: await act() };
  } catch (error) {
    return { exitCode: 1, stdout: `error: ${String(error)}\n` };
  }
}

/** Fills `{{ arch }}`, `{{ checksum "file" }}` and `{{ .Environment.NAME }}`. */
async function filled(template: string, place: CachePlace): Promise<string> {
  const parts = template.split(/(\{\{[^}]*\}\})/);
  return (await Promise.all(parts.map((part) => value(part, place)))).join('');
}

async function value(part: string, place: CachePlace): Promise<string> {
  if (!part.startsWith('{{')) return part;
  const expression = part.slice(2, -2).trim();
  if (expression === 'arch') return `arch1-${process.platform}-${process.arch}`;
  const [, file] = /^checksum\s+"([^"]+)"$/.exec(expression) ?? [];
  if (file !== undefined) {
    return createHash('sha256')
      .update(await readFile(fromHome(file, place)))
      .digest('base64url');
  }
  const [, name] = /^\.Environment\.(\w+)$/.exec(expression) ?? [];
  if (name !== undefined) return place.environment[name] ?? '<no value>';
  throw new Error(`this runner does not know ${part}`);
}

function fromHome(path: string, { home, workingDirectory }: CachePlace): string {
  return resolve(workingDirectory, path.replace(/^~(?=\/|$)/, home ?? ''));
}
