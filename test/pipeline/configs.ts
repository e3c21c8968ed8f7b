/** The project's own pipeline, for tests of what it says and of the shell in it. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { bounded } from '../programs.ts';
import { list, mapping, text } from '../job-runner/mapping.ts';
import type { Mapping } from '../job-runner/mapping.ts';
import { runs } from '../orb/walk.ts';

export const CONFIGS = ['.circleci/config.yml', '.circleci/test-deploy.yml'] as const;
export type ConfigPath = (typeof CONFIGS)[number];

export async function configText(path: ConfigPath): Promise<string> {
  return readFile(path, 'utf8');
}

export async function config(path: ConfigPath): Promise<Mapping> {
  return mapping(parse(await configText(path), { version: '1.1' }), path);
}

/** A job as a workflow calls it. */
export interface Call {
  readonly config: ConfigPath;
  /** By which other jobs require it. */
  readonly name: string;
  readonly job: string;
  readonly settings: Mapping;
}

export async function calls(path: ConfigPath): Promise<readonly Call[]> {
  const workflows = Object.entries(mapping((await config(path)).workflows, path));
  return workflows.flatMap(([workflow, definition]) =>
    list(mapping(definition, workflow).jobs, workflow).map((call) => {
      const [[job, given] = ['', {}]] =
        typeof call === 'string' ? [[call, {}] as const] : Object.entries(mapping(call, ''));
      const settings = mapping(given, job);
      return { config: path, job, settings, name: settings.name === undefined ? job : text(settings.name, job) };
    }),
  );
}

export function requiredBy({ settings, name }: Call): readonly string[] {
  return list(settings.requires ?? [], name).map((one) => text(one, name));
}

/** The text of the one step of this name in either config. */
export async function commandOf(step: string): Promise<string> {
  const found = (await Promise.all(CONFIGS.map(config)))
    .flatMap((one) => runs(one, 'config'))
    .map(({ value, path }) => mapping(value, path))
    .filter(({ name }) => name === step);
  const [only] = new Set(found.map(({ command }) => command));
  return text(only, step);
}

export interface Ran {
  readonly exitCode: number | null;
  readonly output: string;
}

/** Runs a step's text as CircleCI's agent does. */
export async function runStep(
  command: string,
  environment: Readonly<Record<string, string>>,
  { shell = '/bin/bash -eo pipefail', cwd = '.' } = {},
): Promise<Ran> {
  const [program = '', ...options] = shell.split(' ');
  const child = bounded(
    spawn(program, [...options, '-c', command], { cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => {
      resolve({ exitCode, output });
    });
  });
}
