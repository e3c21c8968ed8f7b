/** HTML in which everything that is filled in is escaped, unless it is HTML made here. */
import { pluralize, printable } from '../errors.ts';
import type { Span } from '../outputs/journal.ts';

/** HTML as it stands; of what others wrote, only `markup` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Nothing comes of undefined. */
export type MarkupValue = string | number | undefined | Markup | readonly MarkupValue[];

export function markup(parts: TemplateStringsArray, ...fillings: readonly MarkupValue[]): Markup {
  return new Markup(parts.map((part, at) => part + filled(fillings[at])).join(''));
}

function filled(filling: MarkupValue): string {
  if (filling instanceof Markup) return filling.text;
  if (typeof filling === 'object') return filling.map(filled).join('');
  return escaped(printable(String(filling ?? '')));
}

// Text of others made safe between tags and in quoted attributes, of XML and of HTML.

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Without what XML 1.0 section 2.2 does not allow, escaped or not: most control characters, lone surrogates. */
export function escaped(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- control characters are what must go
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\p{Surrogate}]/gu, ' ')
      .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
  );
}

// The style sheet of the page: narrow and wide, light and dark, paper.

/** Ground, card, text, faint text, lines, bad, good; colours of the timeline; its margins and the height of a row. */
const COLORS = `
:root{--g:#f5f6f8;--k:#fff;--t:#1b2330;--f:#566072;--l:#dde2ea;--b:#b4202f;--o:#0a6b3d;--left:200px;--right:80px;--row:28px}
.job{--c:#6b7686}.cluster{--c:#0b7a75}.output{--c:#5a4fcf}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--g:#11151b;--k:#191f28;--t:#e7ebf1;--f:#a0abbc;--l:#2d3644;--b:#ff8e98;--o:#7fe0ab}.job{--c:#8b97a9}.cluster{--c:#2fb0a5}.output{--c:#9a90ff}}
.failed{--c:var(--b)}`;

const TEXT = `
*{box-sizing:border-box;margin:0}
body{background:var(--g);color:var(--t);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:960px;margin:auto;padding:28px 12px}
h1{font-size:26px;line-height:1.3;margin:10px 0 18px}
h2{font-size:17px;margin-bottom:8px}
h3{font-size:15px;margin:18px 0 4px}
section{background:var(--k);border:1px solid var(--l);border-radius:10px;padding:16px;margin-bottom:16px}
p{white-space:pre-wrap;margin-bottom:14px}
.state{border:1px solid;border-radius:99px;padding:2px 12px;color:var(--o)}
.state,th,small,footer,svg,i{font-size:13px}
b.bad,.failure h2{color:var(--b)}
.failure{border-left:4px solid var(--b)}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
tr+tr{border-top:1px solid var(--l)}
th,td{padding:6px 0;text-align:left;vertical-align:top;font-weight:400}
th,small,footer{color:var(--f)}
th{width:96px;padding-right:8px}
.times :is(th,td){width:17%;padding-right:0;text-align:right}
.times :first-child{width:auto;text-align:left}
.times tr+tr th{color:var(--t);font-size:15px}`;

const PICTURE = `
svg{display:block;overflow:visible;margin-left:var(--left);width:calc(100% - var(--left) - var(--right));height:calc(var(--n)*var(--row) + 32px);fill:var(--t)}
g{transform:translateY(calc(var(--i)*var(--row)))}
.bar{y:5px;height:12px;rx:3px;fill:var(--c)}
.name{text-anchor:end;transform:translate(-14px,16px)}
.took{transform:translate(14px,16px)}
.unfinished{opacity:.5}
.grid{fill:var(--l);width:1px;height:calc(100% - 26px)}
.tick{fill:var(--f);transform:translateY(-8px)}
i{font-style:normal;margin-right:18px}
i::before{content:"";display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px;background:var(--c)}
@media(max-width:700px){:root{--left:0px;--right:0px;--row:42px}.bar{y:20px}.name,.took{text-anchor:start;transform:translateY(14px)}.took{text-anchor:end}}
@media print{:root{--g:#fff}*{print-color-adjust:exact}tr,svg{break-inside:avoid}}`;

export const PAGE_STYLE = COLORS + TEXT + PICTURE;

// The timeline of a run as a picture, without script: its geometry in percent, the rest in the style sheet.

const MAX_STEPS = 4;
/** A label begins at its line; one further on would stand over the edge of a narrow page. */
const END_PADDING = 0.8;
/** What a label may take of a narrow page; what is longer is cut, and stands in the table as it is. */
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
    const place = markup`x="${percent(startMs)}" style="width:max(3px,${percent(endMs - startMs)})"`;
    const bar = markup`<rect class="bar ${kind} ${outcome}" ${place}/>`;
    return markup`<g style="--i:${at}"><title>${name}: ${startMs} to ${endMs} ms</title>${bar}<text class="name">${shortened(name)}</text><text class="took" x="100%">${endMs - startMs} ms</text></g>`;
  });
  const title = markup`<title id="picture">${pluralize(spans.length, 'part')} of the run in ${totalMs} ms, as in the table below</title>`;
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
