/** Reads CSV (RFC 4180) whose first line has the names of the columns. */

export interface CsvRow {
  /** Of its first character, from 1. */
  readonly line: number;
  /** By column; empty cells are left out. */
  readonly cells: ReadonlyMap<string, string>;
}

export interface CsvProblem {
  readonly line: number;
  readonly message: string;
}

interface Cells {
  readonly line: number;
  readonly cells: readonly string[];
}

export function readCsv(text: string): readonly CsvRow[] | CsvProblem {
  const rows = readCells(text.replace(/^\ufeff/, ''));
  if ('message' in rows) return rows;
  const [head, ...body] = rows.filter(({ cells }) => cells.some((cell) => cell.trim() !== ''));
  if (head === undefined) return { line: 1, message: 'the file is empty' };
  const columns = head.cells.map((cell) => cell.trim());
  const long = body.find(({ cells }) => cells.length > columns.length);
  if (long !== undefined) {
    return {
      line: long.line,
      message: `has ${long.cells.length} cells, but there are ${columns.length} columns; put a cell with commas in quotes`,
    };
  }
  return body.map(({ cells, line }) => ({
    line,
    cells: new Map(
      columns.flatMap((column, at) => {
        const cell = cells[at]?.trim() ?? '';
        return cell === '' ? [] : [[column, cell] as const];
      }),
    ),
  }));
}

/** A cell: in quotes, in which two quotes are one, or plain up to the next comma or line end. */
const CELL = /(?:"((?:[^"]|"")*)"[ \t]*|([^",\r\n]*))(,|\r?\n|$)/y;

function readCells(text: string): readonly Cells[] | CsvProblem {
  const rows: Cells[] = [];
  let cells: string[] = [];
  let line = 1;
  let rowLine = 1;
  CELL.lastIndex = 0;
  while (CELL.lastIndex < text.length || cells.length > 0) {
    const found = CELL.exec(text);
    if (found === null) return { line, message: 'is not CSV: a quote must be at the start of a cell, and closed' };
    const [whole, quoted, plain = '', end] = found;
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    line += whole.split('\n').length - 1;
    if (end === ',') continue;
    rows.push({ line: rowLine, cells });
    cells = [];
    rowLine = line;
  }
  return rows;
}
