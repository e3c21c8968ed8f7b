/** The tables that say what a response means: those of docs/errors.md, and what is for maintainers alone. */
import { textOf } from './documents.ts';
import { sections, tableRows } from './markdown.ts';

export interface AnswerRow {
  /** As the document has it; `…` stands for anything. */
  readonly answer: string;
  readonly code: string;
  readonly remedy: string;
}

const DOCUMENTS = ['docs/errors.md', 'docs/maintainers/cluster-answers.md'];

const HEADINGS = [
  'Responses to a join',
  'Responses to calls',
  'Connections that fail',
  'Statuses of HTTP and gRPC',
  'Certificates and responses that are rejected',
];

export function rowsBelow(heading: string): readonly AnswerRow[] {
  const found = DOCUMENTS.flatMap((path) => sections(textOf(path))).filter((section) => section.heading === heading);
  if (found.length === 0) throw new Error(`there is no heading "${heading}" in ${DOCUMENTS.join(' or ')}`);
  return found
    .flatMap(({ text }) => tableRows(text))
    .map(([answer = '', code = '', remedy = '']) => ({
      answer,
      code: code.replaceAll(/\[([A-Z_]+)\]\([^)]*\)/g, '$1'),
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
  const known = [...rowsBelow('Responses to a join'), ...rowsBelow('Responses to calls')];
  return known.filter((row) => matches(row, text)).sort((one, other) => other.answer.length - one.answer.length)[0];
}
