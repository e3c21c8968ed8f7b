/** How the settings are read: from flags, from environment variables, and from values of the file. */
import { resolve } from 'node:path';
import * as z from 'zod/mini';
import { parseAddress } from '../net/address.ts';
import { refuseWildcard } from '../schema/common.ts';
import { type Destination, destination } from '../schema/destination.ts';
import {
  anyExpression,
  anyText,
  duration as durationField,
  type Field,
  list,
  optionalFlag,
  pathText,
  refuse,
  text as textField,
} from '../schema/fields.ts';
import { unexpandedPath, unexpandedValue } from '../schema/unexpanded.ts';
import { durationAdvice, goDuration, parseDuration, refuseCaPin } from '../schema/values.ts';
import { JOB_LIMIT_MS } from '../job/job-end.ts';
import { TUNNEL_PORT } from '../teleport/ping.ts';
import { readDestinationUri } from './destination-uri.ts';
import type { Report } from './findings.ts';

/** `Given` is the value of the flag before it is checked. Every reader returns `undefined` for what is not given. */
export interface Reader<Given, Value> {
  /** From the texts behind each use of the flag; '' for a switch. */
  readonly fromArguments: (texts: readonly string[]) => Given | undefined;
  readonly fromFlag: (given: Given, report: Report) => Value | undefined;
  readonly fromVariable: (text: string, report: Report) => Value | undefined;
  readonly field: Field<Value | undefined>;
  /** The value as the file for tbot has it. */
  readonly write: (value: Value, workingDirectory: string) => unknown;
}

/** Texts that are checked where they count: what flags and variables often replace. */
export const expression = textReader(() => undefined, anyExpression);

/** A text whose words are checked once the configuration is complete. */
export const word = textReader(() => undefined, textField);

export const text = textReader(unexpandedValue, textField);

export const path: Reader<string, string> = {
  ...textReader(unexpandedPath, pathText),
  write: (value, workingDirectory) => resolve(workingDirectory, value),
};

/** The name of one resource, not a pattern of names. */
export const resourceName = textReader((given) => unexpandedValue(given) ?? refuseWildcard(given), textField);

export const uuid = textReader(
  (given) => unexpandedValue(given) ?? (UUID.test(given) ? undefined : `"${given}" is not a UUID`),
  textField,
);

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Milliseconds. Zero means the default. */
export const duration: Reader<string, number> = {
  ...readerOf((given, { refuse }) => {
    const durationMs = parseDuration(given);
    if (durationMs !== undefined) return durationMs === 0 ? undefined : durationMs;
    refuse(unexpandedValue(given) ?? `"${given}" is not a duration; ${durationAdvice(given)}`);
    return undefined;
  }, durationField),
  write: (value) => goDuration(value),
};

/** The same, or `job` for the time that a job may take at most; the file has no such value. */
export const durationOrJob: Reader<string, number> = {
  ...duration,
  fromFlag: (given, report) => (given === 'job' ? JOB_LIMIT_MS : duration.fromFlag(given, report)),
};

export const destinationUri = readerOf<Destination>((given, { refuse }) => {
  const found = readDestinationUri(given);
  if (typeof found !== 'string') return found;
  refuse(found);
  return undefined;
}, z.optional(destination));

export const toggle: Reader<boolean, boolean> = {
  fromArguments: () => true,
  fromFlag: (given) => given,
  fromVariable: readGoBoolean,
  field: optionalFlag,
  write: asItIs,
};

/** tbot turns it on for "yes" alone and ignores every other value, which surprises. */
export const yesWord: Reader<boolean, boolean> = {
  ...toggle,
  fromVariable: (given, { warn }) => {
    if (given !== 'yes') warn(`is "${given}", which has no effect; only "yes" turns it on`);
    return given === 'yes';
  },
};

/** Only Teleport's own programs use it, so that a run does not fail because of it. */
export const tunnelAddress: Reader<string, string> = {
  ...expression,
  fromVariable: (given, { warn }) => {
    if (parseAddress(given, TUNNEL_PORT) !== undefined) return given;
    warn(`is "${given}", which is not host:port: Teleport's own programs cannot use it`);
    return undefined;
  },
};

export const caPins: Reader<readonly string[], readonly string[]> = {
  fromArguments: (texts) => texts,
  fromFlag: readCaPins,
  fromVariable: (given, report) => readCaPins([given], report),
  field: z.pipe(
    list(
      z.pipe(
        anyText,
        z.transform((pin: string, context) => {
          const refusal = refuseCaPin(pin);
          return refusal === undefined ? pin.toLowerCase() : refuse(context, refusal);
        }),
      ),
    ),
    z.transform((pins: readonly string[]) => (pins.length === 0 ? undefined : pins)),
  ),
  write: asItIs,
};

/** One of these words. @param what the setting is, for the refusal */
export function oneOf<const Word extends string>(words: readonly Word[], what: string): Reader<string, Word> {
  return readerOf(
    (given, { refuse }) => {
      const found = words.find((candidate) => candidate === given);
      if (found === undefined) refuse(`"${given}" is not a ${what}; expected one of ${words.join(', ')}`);
      return found;
    },
    z.pipe(
      textField,
      z.transform((given: string | undefined) => words.find((candidate) => candidate === given)),
    ),
  );
}

/** @param rule why a text cannot be meant literally; the text is kept, so that conflicts with it are reported too */
function textReader(
  rule: (given: string) => string | undefined,
  field: Field<string | undefined>,
): Reader<string, string> {
  return readerOf((given, { refuse }) => {
    const refusal = rule(given);
    if (refusal !== undefined) refuse(refusal);
    return given;
  }, field);
}

/** An empty flag or variable is one that is not given. */
function readerOf<Value>(
  read: (given: string, report: Report) => Value | undefined,
  field: Field<Value | undefined>,
): Reader<string, Value> {
  const fromText = (given: string, report: Report) => (given === '' ? undefined : read(given, report));
  return { fromArguments: ([given]) => given, fromFlag: fromText, fromVariable: fromText, field, write: asItIs };
}

function asItIs(value: unknown): unknown {
  return value;
}

function readCaPins(pins: readonly string[], { refuse }: Report): readonly string[] | undefined {
  const found = pins.filter((pin) => pin !== '');
  for (const pin of found) {
    const refusal = refuseCaPin(pin);
    if (refusal !== undefined) refuse(refusal);
  }
  return found.length === 0 ? undefined : found.map((pin) => pin.toLowerCase());
}

/** The name of an environment variable. What is not one is not quoted, because it may be the secret itself. */
export const variableName: Reader<string, string> = {
  ...text,
  field: z.pipe(
    anyExpression,
    z.transform((given: string | undefined, context) =>
      given === undefined || /^[A-Za-z_][A-Za-z0-9_]*$/.test(given)
        ? given
        : refuse(context, 'must be the name of a variable without "$", such as MY_OIDC_TOKEN'),
    ),
  ),
};

/** A program and its arguments, which a shell may expand if the program is one. */
export const commandLine: Reader<readonly string[], readonly string[]> = {
  fromArguments: (texts) => texts,
  fromFlag: (given) => given,
  fromVariable: (given) => [given],
  field: z.pipe(
    list(
      z.pipe(
        anyExpression,
        z.transform((item: string | undefined) => item ?? ''),
      ),
    ),
    z.transform((words: readonly string[], context) => {
      const [program] = words;
      if (program === undefined) return undefined;
      const refusal = program.trim() === '' ? 'the first item must be the program to run' : unexpandedPath(program);
      return refusal === undefined ? words : refuse(context, refusal);
    }),
  ),
  write: asItIs,
};

/** The words of Go's `strconv.ParseBool`. */
function readGoBoolean(given: string, { refuse }: Report): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(given)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(given)) return false;
  refuse(`"${given}" is neither true nor false`);
  return undefined;
}
