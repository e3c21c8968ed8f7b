/** The packages with code in the bundle, and which of them are allowed. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly licence: string;
  /** Its code in the bundle. */
  readonly bytes: number;
  /** Of the archive that npm verifies, as in `package-lock.json`: `sha512-…`. */
  readonly integrity: string;
}

/** Why each package is in the bundle. Adding one is a decision about what every job runs. */
export const ALLOWED_PACKAGES: ReadonlyMap<string, string> = new Map([
  ['@bufbuild/protobuf', 'reads and writes the wire format of Protocol Buffers'],
  ['jose', 'decodes OIDC tokens'],
  ['node-fetch', 'sends HTTP requests over connections that we open'],
  ['yaml', 'reads and writes YAML'],
  ['zod', 'checks JSON and YAML'],
]);

const Built = z.array(z.object({ name: z.string(), version: z.string(), licence: z.string(), bytes: z.number() }));
const Lock = z.object({
  packages: z.record(z.string(), z.object({ version: z.string(), integrity: z.string().optional() })),
});

/** @param path what `scripts/build.mjs --packages` wrote */
export async function bundledPackages(
  path: string,
  lockPath = 'package-lock.json',
): Promise<readonly BundledPackage[]> {
  const { packages } = Lock.parse(JSON.parse(await readFile(lockPath, 'utf8')));
  return Built.parse(JSON.parse(await readFile(path, 'utf8'))).map((built) => {
    const locked = packages[`node_modules/${built.name}`];
    if (locked?.integrity === undefined || locked.version !== built.version) {
      throw new Error(`package-lock.json has no digest of ${built.name} ${built.version}`);
    }
    return { ...built, integrity: locked.integrity };
  });
}

/** @returns the differences between what is bundled and what is allowed; empty if there are none */
export function packageFindings(
  bundled: readonly Pick<BundledPackage, 'name' | 'version'>[],
  allowed: ReadonlyMap<string, string> = ALLOWED_PACKAGES,
): readonly string[] {
  const names = bundled.map(({ name }) => name);
  return [
    ...names.filter((name, at) => names.indexOf(name) !== at).map((name) => `the bundle has ${name} in two versions`),
    ...names
      .filter((name) => !allowed.has(name))
      .map((name) => `the bundle contains ${name}, which scripts/release/bundled-packages.ts does not allow`),
    ...[...allowed.keys()]
      .filter((name) => !names.includes(name))
      .map((name) => `scripts/release/bundled-packages.ts allows ${name}, which the bundle does not contain`),
  ];
}
