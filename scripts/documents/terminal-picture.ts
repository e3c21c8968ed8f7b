/** Draws a recorded log as a terminal in which the lines appear one after the other. */
import { MONOSPACED, svg, text } from './svg.ts';

const COLUMNS = 118;
const FONT = 13;
const LINE = 19;
const MARGIN = 18;
const BAR = 34;
/** Between two lines; before the first line of a step. */
const PAUSE_MS = { line: 60, step: 500 };

/** Without animation, every line is visible from the start. */
const STYLE = `
  .frame { fill: var(--fill); stroke: var(--line) }
  .bar { fill: var(--line) }
  .log text { font: ${FONT}px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; white-space: pre }
  .log .step { fill: var(--accent); font-weight: 600 }
  .log .good { fill: var(--good) }
  @media (prefers-reduced-motion: no-preference) { .log text { animation: appear 0.01s both } }
  @keyframes appear { from { opacity: 0 } }
`;

export function terminalPicture(title: string, description: string, log: string): string {
  const lines = log.trimEnd().split('\n').flatMap(wrapped);
  const width = Math.ceil(2 * MARGIN + COLUMNS * FONT * MONOSPACED);
  const height = BAR + lines.length * LINE + 2 * MARGIN - 6;
  let atMs = 0;
  const rows = lines.map((line, at) => {
    atMs += isStep(line) ? PAUSE_MS.step : PAUSE_MS.line;
    const name = isStep(line) ? 'step' : /^Wrote |: OK$|succeeded/.test(line) ? 'good' : '';
    const attributes = `${name === '' ? '' : `class="${name}" `}style="animation-delay: ${atMs}ms"`;
    return line === '' ? '' : text(MARGIN, BAR + MARGIN + 8 + at * LINE, line, attributes);
  });
  return svg({
    width,
    height,
    title,
    description,
    style: STYLE,
    body: [
      `<rect class="frame" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
      ...[0, 1, 2].map((at) => `<circle class="bar" cx="${22 + at * 20}" cy="${BAR / 2 + 2}" r="6"/>`),
      text(width / 2, BAR / 2 + 7, title, 'class="quiet" text-anchor="middle"'),
      '<g class="log">',
      ...rows.filter((row) => row !== ''),
      '</g>',
    ],
  });
}

function isStep(line: string): boolean {
  return line.startsWith('▸ ');
}

/** Breaks at a space, and indents the rest below the value of a `name  value` line. */
function wrapped(line: string): readonly string[] {
  if (line.length <= COLUMNS) return [line];
  const indent = /^ *(?:\S+ {2,})?/.exec(line)?.[0].length ?? 0;
  const cut = line.lastIndexOf(' ', COLUMNS);
  if (cut <= indent) return [line.slice(0, COLUMNS), ...wrapped(' '.repeat(indent) + line.slice(COLUMNS))];
  return [line.slice(0, cut), ...wrapped(' '.repeat(indent) + line.slice(cut + 1))];
}
