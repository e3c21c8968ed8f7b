/** The outputs of a run on its page: what each is for, where it was written, how long it is good for. */
import { utcTime } from '../crypto/validity.ts';
import type { SupportedOutput } from '../config/supported.ts';
import { asMachineIdError, placeText } from '../errors.ts';
import { outputLabel, outputResource } from '../produce/output-label.ts';
import type { WrittenOutput } from '../produce/result.ts';
import { type Fact, factTable } from './fact-table.ts';
import { type Markup, markup } from './markup.ts';
import type { RunReport } from './run-report.ts';

const MINUTE_MS = 60_000;

export function outputParts({ facts: { outputs, results = [] }, writtenAtMs }: RunReport): Markup | undefined {
  if (outputs === undefined) return undefined;
  const parts = outputs.map((output, at) => {
    const { type } = output;
    const facts = [
      ['Kind', type],
      ['For', outputResource(output)],
      ...outcome(output, results[at], writtenAtMs),
    ] as const;
    return markup`<h3>${outputLabel(output)} <small>${placeText(output)}</small></h3>${factTable(facts)}`;
  });
  return markup`<section><h2>Outputs</h2>${parts.length === 0 ? 'None are configured.' : parts}</section>`;
}

function outcome(
  { destination, roles }: SupportedOutput,
  result: PromiseSettledResult<WrittenOutput> | undefined,
  writtenAtMs: number,
): readonly Fact[] {
  if (result?.status !== 'fulfilled') {
    return [
      ['Not written', markup`<b class="bad">${failure(result)}</b>`],
      ['What to do', result && asMachineIdError(result.reason).hint],
      ['Destination', destination.type === 'directory' ? destination.path : destination.type],
      ['Roles', list(roles)],
    ];
  }
  const { value } = result;
  return [
    ['Destination', value.destination],
    ['Files', list(value.files)],
    ['Roles', list(value.roles)],
    ['Logins', value.logins && (list(value.logins) ?? 'none')],
    ['Good until', expiry(value.expiresAtMs, writtenAtMs)],
    ...value.notices.map((notice) => ['Note', notice] as const),
  ];
}

function list(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.join(', ');
}

function failure(result: PromiseRejectedResult | undefined): string {
  if (result === undefined) return 'the run ended before';
  const { code, message } = asMachineIdError(result.reason);
  return `${code}: ${message}`;
}

function expiry(expiresAtMs: number, writtenAtMs: number): string {
  const minutes = Math.round((expiresAtMs - writtenAtMs) / MINUTE_MS);
  const wait = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return `${utcTime(expiresAtMs)}, ${wait} after this page was written`;
}
