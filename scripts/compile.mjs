// Compiles TypeScript files of this repository and what they import from it, with esbuild. Packages stay imports.
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
    await stop(); // otherwise, esbuild's process runs as long as this one
  }
}

/** Makes `import.meta.dirname` the directory of the source, not of the compiled file. */
function keepOwnFolder({ onLoad }) {
  onLoad({ filter: /[/\\](test|scripts|bench)[/\\].*\.ts$/ }, ({ path }) => {
    const source = readFileSync(path, 'utf8');
    if (!source.includes('import.meta.dirname')) return undefined;
    return { contents: source.replaceAll('import.meta.dirname', JSON.stringify(dirname(path))), loader: 'ts' };
  });
}
