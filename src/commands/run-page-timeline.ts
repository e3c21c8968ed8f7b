/** The timeline of a run as SVG without script; lengths are percentages, everything else is in the style sheet. */
import { pluralize } from '../errors.ts';
import type { Span } from '../outputs/result.ts';
import { type Markup, markup } from './html.ts';

const MAX_STEPS = 4;
/** Labels start at their line; beyond this fraction they would be cut off at the edge of a narrow page. */
const END_PADDING = 0.8;
/** Maximum width of a label on a narrow page; longer names are shortened here and complete in the table. */
const LABEL_PX = 180;
const WIDE_PX = 15;
const NARROW_PX = 8;

export function timeline(spans: readonly Span[], totalMs: number): Markup {
  const percent = (ms: number) => `${((ms / Math.max(1, totalMs)) * 100).toFixed(2)}%`;
  const steps = ticks(totalMs).map((ms) => {
    const label = markup`<text class="tick" x="${percent(ms)}" y="100%">${ms} ms</text>`;
    return markup`<rect class="grid" x="${percent(ms)}"/>${ms <= totalMs * END_PADDING ? label : undefined}`;
  });
  const rows = spans.map(({ endMs, kind, name, outcome, startMs }, at) => {
    const position = markup`x="${percent(startMs)}" style="width:max(3px,${percent(endMs - startMs)})"`;
    const bar = markup`<rect class="bar ${kind} ${outcome}" ${position}/>`;
    return markup`<g style="--i:${at}"><title>${name}: ${startMs} to ${endMs} ms</title>${bar}<text class="name">${shortened(name)}</text><text class="took" x="100%">${endMs - startMs} ms</text></g>`;
  });
  const title = markup`<title id="picture">${pluralize(spans.length, 'part')} of the run in ${totalMs} ms; the table below has the same data</title>`;
  return markup`<svg role="img" aria-labelledby="picture" style="--n:${spans.length}">${title}${steps}${rows}</svg>`;
}

/** Multiples of 1, 2 or 5 times a power of ten, from 0. */
function ticks(totalMs: number): readonly number[] {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, totalMs / MAX_STEPS)));
  const step = power * ([1, 2, 5].find((times) => totalMs / power / times <= MAX_STEPS) ?? 10);
  return Array.from({ length: Math.floor(totalMs / step) + 1 }, (_none, at) => at * step);
}

function shortened(name: string): string {
  let px = 0;
  const fits = Array.from(name).filter((character) => {
    px += /[a-z0-9 _./:-]/.test(character) ? NARROW_PX : WIDE_PX;
    return px <= LABEL_PX;
  });
  return px <= LABEL_PX ? name : `${fits.join('')}…`;
}
