/** `run --report`: an HTML page about a successful or failed run. */
import { resolve } from 'node:path';
import { utcTime } from '../crypto/validity.ts';
import { VERSION, type World } from '../effects/world.ts';
import { asMachineIdError, failureOf, locationText, type MachineIdError } from '../errors.ts';
import { writePublishedFile } from '../files/published.ts';
import { withProxyCause } from '../net/egress-cause.ts';
import { auditQuery } from '../outputs/bot-instance.ts';
import type { ConfiguredOutput, Journal, RunFacts } from '../outputs/journal.ts';
import type { Engine, Span, WrittenOutput } from '../outputs/result.ts';
import { outputLabel } from '../outputs/output.ts';
import { markup, Markup, type MarkupValue } from './html.ts';
import { PAGE_STYLE } from './run-page-style.ts';
import { timeline } from './run-page-timeline.ts';

interface ReportedRun {
  readonly engine: Engine;
  readonly journal: Journal;
}

/** Does not change the result of the run: a report that cannot be written is a warning. */
export async function withReport(
  file: string,
  run: ReportedRun,
  world: World,
  work: () => Promise<void>,
): Promise<void> {
  let failure: MachineIdError | undefined;
  try {
    await work();
  } catch (error) {
    failure = withProxyCause(failureOf(error, world.signal), world.environment);
    throw error;
  } finally {
    await writeReport(file, run, failure, world);
  }
}

async function writeReport(
  file: string,
  { engine, journal }: ReportedRun,
  failure: MachineIdError | undefined,
  world: World,
): Promise<void> {
  const { clock, files, mask, workingDirectory } = world;
  const path = resolve(workingDirectory, file);
  const page = runPage({
    version: VERSION,
    engine,
    writtenAtMs: clock.nowMs(),
    facts: journal.facts(),
    spans: journal.spans(),
    totalMs: journal.totalMs(),
    failure,
  });
  try {
    await writePublishedFile(files, path, mask.apply(page));
  } catch (error) {
    journal.warn(`the report was not written: ${asMachineIdError(error).message}`);
  }
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** A page that needs no network and no script. */
export function runPage(report: RunReport): string {
  const { facts, failure, totalMs, version, writtenAtMs } = report;
  const state = failure === undefined ? 'Succeeded' : 'Failed';
  const title = `Teleport ${facts.cluster ?? facts.plan?.address.value ?? 'run'}`;
  const policy = markup`<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
  const head = markup`<meta charset="utf-8">${policy}<meta name="viewport" content="width=device-width"><title>${state}: ${title}</title><style>${new Markup(PAGE_STYLE)}</style>`;
  const top = markup`<b class="state ${failure && 'bad'}">${state} after ${totalMs} ms</b><h1>${title}</h1>`;
  const parts = [failurePart(failure), summary(report), timelinePart(report), outputParts(report), claimsPart(report)];
  const foot = markup`<footer>Written by teleport/machine-id ${version} at ${utcTime(writtenAtMs)}. Names and times only, no credentials.</footer>`;
  return markup`<!doctype html><html lang="en">${head}<main>${top}${parts}${foot}</main>\n`.text;
}

function failurePart(failure: MachineIdError | undefined): Markup | undefined {
  if (failure === undefined) return undefined;
  const { code, problems, hint, likelyCauses, message } = failure;
  const unsaid = problems
    .filter((problem) => !message.includes(problem.message))
    .flatMap((problem) => [
      `${locationText(problem)}: ${problem.message}`,
      ...(problem.hint === undefined ? [] : [`What to do: ${problem.hint}`]),
    ]);
  const lines = [...message.split('\n'), ...unsaid].map(
    (line, at) => markup`${at === 0 ? undefined : new Markup('\n')}${line}`,
  );
  const causes =
    likelyCauses.length === 0
      ? undefined
      : markup`<h2>Likely causes</h2><ol>${likelyCauses.map((cause) => markup`<li>${cause}`)}</ol>`;
  return markup`<section class="failure"><h2>What went wrong</h2><p>${lines}${causes}<h2>What to do</h2><p>${hint}<p><small>${code}</small></section>`;
}

function summary({ engine, facts }: RunReport): Markup {
  const { bot, botInstanceId, cluster, clusterVersion, exported, joinPath, plan } = facts;
  const table = factTable([
    ['Bot', bot],
    ['Bot instance', botInstanceId],
    ['Audit query', botInstanceId && auditQuery(botInstanceId)],
    ['Cluster', cluster],
    ['Teleport', clusterVersion],
    [plan?.address.kind === 'auth' ? 'Address' : 'Proxy', plan?.address.value],
    ['Engine', engine],
    ['Joined by', joinPath],
    ['Exported', exported?.join(', ')],
  ]);
  return markup`<section>${table}</section>`;
}

function timelinePart({ spans, totalMs }: RunReport): Markup | undefined {
  if (spans.length === 0) return undefined;
  const kinds = [...new Set(spans.map(({ kind, outcome }) => (outcome === 'failed' ? outcome : kind)))];
  const legend = kinds.map((kind) => markup`<i class="${kind}">${kind}</i>`);
  const heads = ['Part', 'Start', 'End', 'Duration'].map((name) => markup`<th>${name}`);
  const rows = spans.map(({ endMs, kind, name, outcome, startMs }) => {
    const note = outcome === 'done' ? kind : outcome;
    return markup`<tr><th>${name} <small>${note}</small><td>${startMs}<td>${endMs}<td>${endMs - startMs}`;
  });
  return markup`<section><h2>Timeline, in ms</h2>${timeline(spans, totalMs)}<p>${legend}<table class="times"><tr>${heads}${rows}</table></section>`;
}

function claimsPart({ facts: { claims } }: RunReport): Markup | undefined {
  if (claims === undefined) return undefined;
  const table = factTable([
    ['Organization', claims.organizationId],
    ['Project', claims.projectId],
    ['Contexts', claims.contextIds.join(', ') || 'none'],
    ['Repository', claims.vcsOrigin],
    ['Ref', claims.vcsRef],
  ]);
  return markup`<section><h2>Claims of the OIDC token</h2>${table}</section>`;
}

export interface RunReport {
  /** The version of this program. */
  readonly version: string;
  readonly engine: Engine;
  readonly writtenAtMs: number;
  readonly totalMs: number;
  readonly facts: Partial<RunFacts>;
  readonly spans: readonly Span[];
  /** Undefined when the run succeeded. */
  readonly failure: MachineIdError | undefined;
}

const MINUTE_MS = 60_000;

/** Each output with its purpose, its destination and its expiry. */
function outputParts({ facts: { outputs, results = [] }, writtenAtMs }: RunReport): Markup | undefined {
  if (outputs === undefined) return undefined;
  const parts = outputs.map((output, at) => {
    const { type } = output;
    const facts = [['Kind', type], ['For', output.resource], ...outcome(output, results[at], writtenAtMs)] as const;
    return markup`<h3>${outputLabel(output)} <small>${locationText(output)}</small></h3>${factTable(facts)}`;
  });
  return markup`<section><h2>Outputs</h2>${parts.length === 0 ? 'None are configured.' : parts}</section>`;
}

function outcome(
  { destination, roles }: ConfiguredOutput,
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
    ['Valid until', expiry(value.expiresAtMs, writtenAtMs)],
    ...value.notices.map((notice) => ['Note', notice] as const),
  ];
}

function list(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.join(', ');
}

function failure(result: PromiseRejectedResult | undefined): string {
  if (result === undefined) return 'the run ended earlier';
  const { code, message } = asMachineIdError(result.reason);
  return `${code}: ${message}`;
}

function expiry(expiresAtMs: number, writtenAtMs: number): string {
  const minutes = Math.round((expiresAtMs - writtenAtMs) / MINUTE_MS);
  const wait = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return `${utcTime(expiresAtMs)}, ${wait} after this page was written`;
}

type Fact = readonly [name: string, value: MarkupValue];

/** A table of names and values, without rows for undefined values. */
function factTable(facts: readonly Fact[]): Markup {
  const known = facts.filter(([, value]) => value !== undefined);
  return markup`<table>${known.map(([name, value]) => markup`<tr><th>${name}<td>${value}`)}</table>`;
}
