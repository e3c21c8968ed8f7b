/** Draws the folders of src as a matrix: each imports only from those to the right of the diagonal, which are below it. */
import { svg, text } from './svg.ts';

export interface Room {
  readonly name: string;
  readonly purpose: string;
  /** The rooms that its files import from. */
  readonly imports: ReadonlySet<string>;
}

const CELL = 26;
const LEFT = 620;
const TOP = 128;
const MARGIN = 20;

const STYLE = `
  .name { font-weight: 600; font-size: 14px }
  .purpose { font-size: 13px; fill: var(--quiet) }
  .column { font-size: 13px }
  .grid { stroke: var(--line); stroke-width: 1 }
  .self { fill: var(--line) }
  .use { fill: var(--accent) }
`;

export function roomsPicture(rooms: readonly Room[]): string {
  const size = rooms.length * CELL;
  const x = (at: number) => LEFT + at * CELL + CELL / 2;
  const y = (at: number) => TOP + at * CELL + CELL / 2;
  return svg({
    width: LEFT + size + 70 + MARGIN,
    height: TOP + size + MARGIN,
    title: 'The folders of src and what they import',
    description: rooms
      .map(({ imports, name }) => `${name} imports ${imports.size === 0 ? 'nothing' : [...imports].join(', ')}.`)
      .join(' '),
    style: STYLE,
    body: [
      text(MARGIN, TOP - 14, 'Folder and purpose, from the top down', 'class="column quiet"'),
      ...rooms.flatMap((room, row) => [
        `<path class="grid" d="M${MARGIN} ${TOP + row * CELL}H${LEFT + size}"/>`,
        text(MARGIN, y(row) + 5, room.name, 'class="name"'),
        text(MARGIN + 118, y(row) + 5, room.purpose, 'class="purpose"'),
        text(0, 0, room.name, `class="column" transform="translate(${x(row) + 4} ${TOP - 8}) rotate(-50)"`),
        `<rect class="self" x="${x(row) - CELL / 2 + 2}" y="${y(row) - CELL / 2 + 2}" width="${CELL - 4}" height="${CELL - 4}" rx="4"/>`,
        ...rooms.flatMap(({ name }, column) =>
          room.imports.has(name) ? [`<circle class="use" cx="${x(column)}" cy="${y(row)}" r="6"/>`] : [],
        ),
      ]),
      `<path class="grid" d="M${MARGIN} ${TOP + size}H${LEFT + size}"/>`,
    ],
  });
}
