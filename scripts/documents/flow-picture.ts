/** Draws a flow of numbered steps between boxes on a grid, from its description in YAML. */
import { parse } from 'yaml';
import { z } from 'zod';
import { svg, text } from './svg.ts';

const Flow = z.strictObject({
  title: z.string(),
  description: z.string(),
  nodes: z.record(
    z.string(),
    z.strictObject({
      at: z.tuple([z.number(), z.number()]),
      title: z.string(),
      lines: z.array(z.string()),
    }),
  ),
  steps: z.array(
    z.strictObject({ from: z.string(), to: z.string(), label: z.string(), back: z.boolean().default(false) }),
  ),
});

interface Box {
  readonly column: number;
  readonly row: number;
  readonly x: number;
  readonly y: number;
}

const BOX = { width: 188, height: 88 };
const GAP = { x: 148, y: 80 };
/** Leaves space above the first row for the step that goes around. */
const MARGIN = { x: 20, top: 76, bottom: 20 };
/** Distance between two steps that connect the same boxes. */
const LANE = 20;
const HEAD = 8;

const STYLE = `
  .box { fill: var(--fill); stroke: var(--line); stroke-width: 1.5 }
  .title { font-weight: 600; font-size: 16px }
  .step { fill: none; stroke: var(--accent); stroke-width: 1.8 }
  .head { fill: var(--accent) }
  .number { font-weight: 600; fill: var(--accent) }
  .label { font-size: 14px }
`;

export function flowPicture(source: string): string {
  const { description, nodes, steps, title } = Flow.parse(parse(source));
  const boxes = new Map(Object.entries(nodes).map(([name, { at }]) => [name, boxAt(at)]));
  const columns = Math.max(...[...boxes.values()].map(({ column }) => column)) + 1;
  const rows = Math.max(...[...boxes.values()].map(({ row }) => row)) + 1;
  const boxOf = (name: string): Box => {
    const box = boxes.get(name);
    if (box === undefined) throw new Error(`the flow has no node "${name}"`);
    return box;
  };
  return svg({
    width: 2 * MARGIN.x + columns * BOX.width + (columns - 1) * GAP.x,
    height: MARGIN.top + MARGIN.bottom + rows * BOX.height + (rows - 1) * GAP.y,
    title,
    description,
    style: STYLE,
    body: [
      ...Object.entries(nodes).flatMap(([name, { lines, title: heading }]) => drawBox(boxOf(name), heading, lines)),
      ...steps.flatMap(({ back, from, label, to }, at) => drawStep(boxOf(from), boxOf(to), `${at + 1}`, label, back)),
    ],
  });
}

function boxAt([column, row]: readonly [number, number]): Box {
  return {
    column,
    row,
    x: MARGIN.x + column * (BOX.width + GAP.x),
    y: MARGIN.top + row * (BOX.height + GAP.y),
  };
}

function drawBox({ x, y }: Box, title: string, lines: readonly string[]): readonly string[] {
  const middle = x + BOX.width / 2;
  const top = y + BOX.height / 2 - lines.length * 9 + 4;
  return [
    `<rect class="box" x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="8"/>`,
    text(middle, top, title, 'class="title" text-anchor="middle"'),
    ...lines.map((line, at) => text(middle, top + 20 + at * 18, line, 'class="quiet label" text-anchor="middle"')),
  ];
}

function drawStep(from: Box, to: Box, number: string, label: string, back: boolean): readonly string[] {
  if (from.row === to.row) {
    return Math.abs(from.column - to.column) === 1
      ? across(from, to, number, label, back)
      : around(from, to, number, label);
  }
  return from.column === to.column ? upright(from, to, number, label) : slanted(from, to, number, label);
}

/** To the next column: forward in the upper lane, back in the lower one. */
function across(from: Box, to: Box, number: string, label: string, back: boolean): readonly string[] {
  const rightwards = to.column > from.column;
  const start = rightwards ? from.x + BOX.width : from.x;
  const end = rightwards ? to.x : to.x + BOX.width;
  const y = from.y + BOX.height / 2 + (back ? LANE : -LANE);
  const middle = (start + end) / 2;
  const tip = rightwards ? -HEAD : HEAD;
  return [
    `<path class="step" d="M${start} ${y}H${end + tip}"/>`,
    head([end, y], [tip, -HEAD / 2], [tip, HEAD / 2]),
    ...labelled(middle, y - 7, number, label, 'middle'),
  ];
}

/** Over the top of the row. */
function around(from: Box, to: Box, number: string, label: string): readonly string[] {
  const [start, end] = [from.x + BOX.width / 2, to.x + BOX.width / 2];
  const y = from.y - 36;
  return [
    `<path class="step" d="M${start} ${from.y}V${y}H${end}V${to.y - HEAD}"/>`,
    head([end, to.y], [-HEAD / 2, -HEAD], [HEAD / 2, -HEAD]),
    ...labelled((start + end) / 2, y - 8, number, label, 'middle'),
  ];
}

function upright(from: Box, to: Box, number: string, label: string): readonly string[] {
  const x = from.x + BOX.width / 2;
  const down = to.row > from.row;
  const [start, end] = down ? [from.y + BOX.height, to.y] : [from.y, to.y + BOX.height];
  const tip = down ? -HEAD : HEAD;
  return [
    `<path class="step" d="M${x} ${start}V${end + tip}"/>`,
    head([x, end], [-HEAD / 2, tip], [HEAD / 2, tip]),
    ...labelled(down ? x + 10 : x - 10, (start + end) / 2 + 5, number, label, down ? 'start' : 'end'),
  ];
}

/** From near the lower right corner to the box below and beside it. */
function slanted(from: Box, to: Box, number: string, label: string): readonly string[] {
  const start = from.x + BOX.width - 24;
  const y = (from.y + BOX.height + to.y) / 2;
  const end = to.x + BOX.width / 2;
  return [
    `<path class="step" d="M${start} ${from.y + BOX.height}V${y}H${end}V${to.y - HEAD}"/>`,
    head([end, to.y], [-HEAD / 2, -HEAD], [HEAD / 2, -HEAD]),
    ...labelled((start + end) / 2, y - 8, number, label, 'middle'),
  ];
}

type Point = readonly [x: number, y: number];

function head([x, y]: Point, one: Point, other: Point): string {
  return `<path class="head" d="M${x} ${y}L${x + one[0]} ${y + one[1]}L${x + other[0]} ${y + other[1]}Z"/>`;
}

function labelled(
  x: number,
  y: number,
  number: string,
  label: string,
  anchor: 'start' | 'middle' | 'end',
): readonly string[] {
  const content = `<tspan class="number">${number}</tspan> ${label.replaceAll('&', '&amp;')}`;
  return [`<text class="label" x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`];
}
