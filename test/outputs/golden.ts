/** Files as they must be, written by hand. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, 'golden');

export function golden(folder: string, name: string): string {
  return readFileSync(join(FOLDER, folder, name), 'utf8');
}

export function goldenNames(folder: string): string[] {
  return readdirSync(join(FOLDER, folder)).sort();
}
