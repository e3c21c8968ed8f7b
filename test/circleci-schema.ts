/** CircleCI's schema of configs: others' text, so not in this repository but where `CIRCLECI_SCHEMA` says. */
import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import type { AnySchemaObject, ErrorObject } from 'ajv';
import { parse } from 'yaml';
import { z } from 'zod';

const path = process.env.CIRCLECI_SCHEMA ?? '';

/** Why a test that needs the schema is left out; in CI it fails instead. */
export const schemaMissing =
  path === '' && process.env.CI !== 'true' ? 'CIRCLECI_SCHEMA names no schema file' : undefined;

let checker: Promise<(config: string) => readonly ErrorObject[]> | undefined;

/** A function that returns what is wrong with the text of a config. The schema is compiled once a process. */
export function schemaChecker(): Promise<(config: string) => readonly ErrorObject[]> {
  return (checker ??= makeChecker());
}

async function makeChecker(): Promise<(config: string) => readonly ErrorObject[]> {
  if (path === '') throw new Error('CIRCLECI_SCHEMA must name the schema file in CI');
  const schema: AnySchemaObject = z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(path, 'utf8')));
  const formats = { uri: (text: string) => URL.canParse(text) };
  const validate = new Ajv({ strict: false, allErrors: true, formats }).compile(schema);
  return (config) => {
    validate(parse(config, { version: '1.1' }));
    return validate.errors ?? [];
  };
}
