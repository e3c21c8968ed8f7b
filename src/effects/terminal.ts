/** Colours for a terminal. */

type Paint = (text: string) => string;

export interface Style {
  readonly success: Paint;
  readonly warning: Paint;
  readonly failure: Paint;
  readonly bold: Paint;
  readonly dim: Paint;
}

/** ECMA-48 section 8.3.117 (SGR): the codes that start and end each style. */
const PAINTS = { success: [32, 39], warning: [33, 39], failure: [31, 39], bold: [1, 22], dim: [2, 22] } as const;

export const PLAIN: Style = { success: same, warning: same, failure: same, bold: same, dim: same };

const COLOURED: Style = {
  success: paint(...PAINTS.success),
  warning: paint(...PAINTS.warning),
  failure: paint(...PAINTS.failure),
  bold: paint(...PAINTS.bold),
  dim: paint(...PAINTS.dim),
};

/** `NO_COLOR` (no-color.org) and `FORCE_COLOR` take precedence; `TERM=dumb` means a terminal without colours. */
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
