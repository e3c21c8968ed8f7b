/** The tables of docs/errors.md that say what an answer means. */
import { textOf } from './documents.ts';
import { sections, tableRows } from './markdown.ts';

export interface AnswerRow {
  /** As the document has it; `…` stands for anything. */
  readonly answer: string;
  readonly code: string;
  readonly remedy: string;
}

const HEADINGS = [
  'Answers to a join',
  'Answers to calls',
  'Connections that fail',
  'Statuses of HTTP and gRPC',
  'Certificates and replies that are not used',
];

export function rowsBelow(heading: string): readonly AnswerRow[] {
  const found = sections(textOf('docs/errors.md')).find((section) => section.heading === heading);
  if (found === undefined) throw new Error(`docs/errors.md has no heading "${heading}"`);
  return tableRows(found.text).map(([answer = '', code = '', remedy = '']) => ({
    answer,
    code: code.replace(/^\[([A-Z_]+)\]\(.*\)$/, '$1'),
    remedy,
  }));
}

export const ANSWERS: readonly AnswerRow[] = HEADINGS.flatMap(rowsBelow);

export function matches({ answer }: AnswerRow, text: string): boolean {
  const parts = answer.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(parts.join('[^]*'), 'i').test(text);
}

/** Of several the one that says the most. */
export function rowFor(text: string): AnswerRow | undefined {
  const known = [...rowsBelow('Answers to a join'), ...rowsBelow('Answers to calls')];
  return known.filter((row) => matches(row, text)).sort((one, other) => other.answer.length - one.answer.length)[0];
}
