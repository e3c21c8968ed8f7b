/** Colours, where the terminal has them. */

type Paint = (text: string) => string;

export interface Style {
  readonly good: Paint;
  readonly doubtful: Paint;
  readonly bad: Paint;
  readonly strong: Paint;
  readonly faint: Paint;
}

/** ECMA-48 section 8.3.117 (SGR): what begins a colour and what ends it. */
const PAINTS = { good: [32, 39], doubtful: [33, 39], bad: [31, 39], strong: [1, 22], faint: [2, 22] } as const;

export const PLAIN: Style = { good: same, doubtful: same, bad: same, strong: same, faint: same };

const COLOURED: Style = {
  good: paint(...PAINTS.good),
  doubtful: paint(...PAINTS.doubtful),
  bad: paint(...PAINTS.bad),
  strong: paint(...PAINTS.strong),
  faint: paint(...PAINTS.faint),
};

/** `NO_COLOR` (no-color.org) and `FORCE_COLOR` decide when they are set; a terminal without colours calls itself dumb. */
export function styleFor(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): Style {
  const { FORCE_COLOR = '', NO_COLOR = '', TERM } = environment;
  if (NO_COLOR !== '') return PLAIN;
  if (FORCE_COLOR !== '') return FORCE_COLOR === '0' ? PLAIN : COLOURED;
  return isTerminal && TERM !== undefined && TERM !== 'dumb' ? COLOURED : PLAIN;
}

function paint(begin: number, end: number): Paint {
  return (text) => (text === '' ? '' : `\u001b[${begin}m${text}\u001b[${end}m`);
}

function same(text: string): string {
  return text;
}
