/** The tables of docs/reference/orb.md, from the orb as it is published. */
import { parse } from 'yaml';
import { z } from 'zod';
import { packRelease } from '../orb-pack/packed-release.ts';
import { readSourceTree } from '../orb-pack/source-tree.ts';
import { packageVersion } from '../release/package-version.ts';
import { code, markdownTable, prose } from './markdown.ts';
import type { Parts } from './regions.ts';

const Parameter = z.object({
  type: z.string(),
  enum: z.array(z.string()).optional(),
  default: z.unknown().optional(),
  description: z.string(),
});
const Element = z.object({
  description: z.string(),
  parameters: z.record(z.string(), Parameter).default({}),
});
const Orb = z.object({
  commands: z.record(z.string(), Element),
  jobs: z.record(z.string(), Element),
  executors: z.record(z.string(), Element),
});

/** Two parts for each command, job and executor: `orb command join` is its description, `parameters of orb command join` a table. */
export async function orbParts(): Promise<Parts> {
  const version = await packageVersion();
  const files = await readSourceTree('orb');
  // The documents hold neither the script nor its digest, so it need not be built here.
  const packed = packRelease({ files, bundle: Buffer.from('the script'), version, downloadUrl: undefined });
  const { commands, executors, jobs } = Orb.parse(parse(packed));
  const kinds = Object.entries({ 'orb command': commands, job: jobs, executor: executors });
  return new Map(
    kinds.flatMap(([kind, elements]) =>
      Object.entries(elements).flatMap(([name, { description, parameters }]) => [
        [`${kind} ${name}`, prose(description)] as const,
        [`parameters of ${kind} ${name}`, parameterTable(parameters, version)] as const,
      ]),
    ),
  );
}

function parameterTable(parameters: z.infer<typeof Element>['parameters'], version: string): string {
  return markdownTable(
    ['Parameter', 'Type', 'Default', 'Meaning'],
    Object.entries(parameters).map(([name, { default: preset, description, enum: values, type }]) => [
      code(name),
      values === undefined ? type : values.map(code).join(', '),
      shownDefault(preset, version),
      prose(description),
    ]),
  );
}

function shownDefault(preset: unknown, version: string): string {
  if (preset === undefined) return 'required';
  if (preset === '') return 'empty';
  if (typeof preset === 'string' && preset.includes(`/v${version}/`)) return 'the asset of the release';
  return code(typeof preset === 'string' ? preset : JSON.stringify(preset));
}
