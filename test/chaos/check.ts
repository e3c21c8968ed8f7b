/**
 * The promise, whatever goes wrong: a run succeeds within its deadline or ends with one of our error codes; the destination
 * holds the old files or the new ones, complete, key and certificate from the same run; nothing secret is printed; no process,
 * socket or temporary file is left behind; nothing is readable by others even for a moment.
 */
import { ERROR_CODES } from '../../src/errors.ts';
import { keyFactsOf } from './key-pairs.ts';
import { type FileSet, MODE_LENGTH, type Observation } from './play.ts';

/** `success`, or the error code; for the report. */
export function outcomeOf({ end }: Observation): string {
  if (end.exitCode === undefined) return 'hang';
  return end.exitCode === 0 ? 'success' : (codeOf(end.stderr) ?? 'no code');
}

/** @returns what is broken, one sentence each */
export function brokenPromises(seen: Observation): readonly string[] {
  return [...(seen.use ?? []), ...brokenEnd(seen), ...brokenFiles(seen), ...brokenSecrecy(seen), ...leftovers(seen)];
}

/** Only for errors that are bugs. */
const BUGS: readonly string[] = ['INTERNAL', 'UNCAUGHT'];

function brokenEnd({ delivery, end }: Observation): readonly string[] {
  const { durationMs, exitCode, stderr, stdout } = end;
  if (exitCode === undefined) return [`it did not end within ${Math.round(durationMs / 1000)} s`];
  if (exitCode === null) return ['a signal ended it'];
  const isWhole = delivery === undefined || stdout === delivery.toString();
  const isPart = delivery === undefined || delivery.toString().startsWith(stdout);
  const wrong = isPart ? [] : ['it delivered other bytes than the node sent'];
  if (exitCode === 0) return isWhole ? wrong : ['it succeeded, but did not deliver everything', ...wrong];
  const code = codeOf(stderr);
  if (exitCode !== 1 && exitCode !== 2) return [`its exit code is ${exitCode}`];
  if (code === undefined) return ['it failed without an error code', ...wrong];
  if (!ERROR_CODES.some((one) => one === code)) return [`its error code ${code} is not documented`];
  return BUGS.includes(code) ? [`its error code is ${code}`, ...wrong] : wrong;
}

function codeOf(stderr: string): string | undefined {
  return /^code: (\w+)$/m.exec(stderr)?.[1];
}

function brokenFiles({ after, before, delivery, end, names, use }: Observation): readonly string[] {
  const writesNothing = delivery !== undefined || use !== undefined;
  if (isSame(after, before)) return end.exitCode === 0 && !writesNothing ? ['it succeeded, but wrote nothing'] : [];
  if (delivery !== undefined) return ['it changed the files of the identity'];
  const missing = names.filter((name) => !after.has(name));
  const strange = [...after.keys()].filter((name) => !names.includes(name));
  return [
    ...missing.map((name) => `${name} is missing`),
    ...strange.map((name) => `${name} is not a file of this output`),
    ...keyFactsOf(contents(after)).problems,
  ];
}

function isSame(one: FileSet, other: FileSet): boolean {
  return one.size === other.size && [...one].every(([name, text]) => other.get(name) === text);
}

function contents(files: FileSet): FileSet {
  return new Map([...files].map(([name, text]) => [name, text.slice(MODE_LENGTH)]));
}

const SHORTEST_SECRET = 8;

function brokenSecrecy({ after, before, end, token }: Observation): readonly string[] {
  const printed = end.stdout + end.stderr;
  const keys = [after, before].flatMap((files) => keyFactsOf(contents(files)).secrets);
  const [, ...parts] = token.split('.');
  const secrets = [token, ...parts, ...keys, 'PRIVATE KEY'].filter(({ length }) => length >= SHORTEST_SECRET);
  const isPrinted = secrets.some((secret) => printed.includes(secret));
  return [...(isPrinted ? ['it printed a secret'] : []), ...end.exposed.map((path) => `others can read ${path}`)];
}

/** The list of what runs have written, the job's own variables, and what "tunnel status" reports of a tunnel that has ended. */
const KEPT = /^(?:bash_env|\.teleport-machine-id\/(?:written\.jsonl|tunnel\.[\w-]+\.(?:json|pid)))$/;

function leftovers({ elsewhere, end, open }: Observation): readonly string[] {
  const strange = [...elsewhere.keys()].filter((name) => !KEPT.test(name));
  return [
    ...(open > 0 ? [`it left ${open} connections open`] : []),
    ...end.left.map((id) => `it left the process ${id}`),
    ...strange.map((name) => `it left ${name}`),
  ];
}
