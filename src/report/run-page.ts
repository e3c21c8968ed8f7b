/** One page about one run, for people: it needs no network and no script. */
import { utcTime } from '../crypto/validity.ts';
import { type MachineIdError, placeText } from '../errors.ts';
import { factTable } from './fact-table.ts';
import { markup, Markup } from './markup.ts';
import { outputParts } from './output-parts.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { RunReport } from './run-report.ts';
import { timeline } from './timeline.ts';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

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
  const { code, faults, hint, likelyCauses, message } = failure;
  const more = faults
    .filter((fault) => !message.includes(fault.message))
    .flatMap((fault) => [
      `${placeText(fault)}: ${fault.message}`,
      ...(fault.hint === undefined ? [] : [`What to do: ${fault.hint}`]),
    ]);
  const words = [...message.split('\n'), ...more].map(
    (line, at) => markup`${at === 0 ? undefined : new Markup('\n')}${line}`,
  );
  const causes =
    likelyCauses.length === 0
      ? undefined
      : markup`<h2>Likely causes</h2><ol>${likelyCauses.map((cause) => markup`<li>${cause}`)}</ol>`;
  return markup`<section class="failure"><h2>What went wrong</h2><p>${words}${causes}<h2>What to do</h2><p>${hint}<p><small>${code}</small></section>`;
}

function summary({ engine, facts }: RunReport): Markup {
  const { bot, cluster, clusterVersion, exported, joinPath, plan } = facts;
  const table = factTable([
    ['Bot', bot],
    ['Cluster', cluster],
    ['Teleport', clusterVersion],
    ['Proxy', plan?.address.value],
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
  const heads = ['Part', 'Begin', 'End', 'Took'].map((name) => markup`<th>${name}`);
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
