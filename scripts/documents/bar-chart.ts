/** Draws horizontal bars, each with its name before it and its figure after it. */
import { svg, text } from './svg.ts';

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What stands after the bar. */
  readonly text: string;
  /** A value that is marked with a line. */
  readonly mark?: number | undefined;
  readonly isGood: boolean;
}

export interface BarChart {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** Lengths are as the values, or as their square roots, where the values differ by orders of magnitude. */
  readonly scale: 'linear' | 'roots';
}

const ROW = 28;
const BAR = 16;
const LEFT = 320;
const LONGEST = 300;
const RIGHT = 330;
const TOP = 52;
const MARGIN = 20;

const STYLE = `
  .title { font-weight: 600; font-size: 16px }
  .label { font-size: 13px }
  .good { fill: var(--accent) }
  .bad { fill: var(--quiet) }
  .mark { stroke: var(--good); stroke-width: 2.5 }
`;

export function barChart({ bars, scale, title }: BarChart): string {
  const length = scale === 'linear' ? (value: number) => value : Math.sqrt;
  const most = Math.max(1, ...bars.map(({ mark = 0, value }) => length(Math.max(value, mark))));
  const width = (value: number) => Math.round((length(value) / most) * LONGEST);
  return svg({
    width: LEFT + LONGEST + RIGHT,
    height: TOP + bars.length * ROW + MARGIN,
    title,
    description: bars.map((bar) => `${bar.label}: ${bar.text}.`).join(' '),
    style: STYLE,
    body: [
      text(MARGIN, 32, title, 'class="title"'),
      ...bars.flatMap(({ isGood, label, mark, text: figure, value }, at) => {
        const y = TOP + at * ROW;
        const x = LEFT + (mark === undefined ? 0 : width(mark));
        return [
          text(LEFT - 12, y + 13, label, 'class="label" text-anchor="end"'),
          `<rect class="${isGood ? 'good' : 'bad'}" x="${LEFT}" y="${y}" width="${width(value)}" height="${BAR}" rx="3"/>`,
          ...(mark === undefined ? [] : [`<path class="mark" d="M${x} ${y - 4}V${y + BAR + 4}"/>`]),
          text(
            LEFT + Math.max(width(value), mark === undefined ? 0 : width(mark)) + 10,
            y + 13,
            figure,
            'class="label quiet"',
          ),
        ];
      }),
    ],
  });
}
