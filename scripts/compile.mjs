// Compiles TypeScript files of this repository, with everything of it that they import, by esbuild. Packages stay imports.
import { build, stop } from 'esbuild';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * @param {import('esbuild').BuildOptions} options entry points and where the output goes
 * @returns {Promise<import('esbuild').BuildResult>}
 */
export async function compile(options) {
  try {
    return await build({
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      logLevel: 'warning',
      plugins: [{ name: 'own-folder', setup: keepOwnFolder }],
      ...options,
    });
  } finally {
    await stop(); // or esbuild's own process would live as long as this one
  }
}

/** A file finds what lies beside its source, not beside what is compiled from it. */
function keepOwnFolder({ onLoad }) {
  onLoad({ filter: /[/\\](test|scripts|bench)[/\\].*\.ts$/ }, ({ path }) => {
    const source = readFileSync(path, 'utf8');
    if (!source.includes('import.meta.dirname')) return undefined;
    return { contents: source.replaceAll('import.meta.dirname', JSON.stringify(dirname(path))), loader: 'ts' };
  });
}
