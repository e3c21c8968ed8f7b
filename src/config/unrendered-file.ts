/** Finds in a text that is not YAML what a template engine should have replaced, which is often why. */
import type { Fault } from '../errors.ts';
import { templateIn, unexpandedPath, unexpandedValue, withoutTemplates } from './unexpanded.ts';
import { readYaml, SYNTAX_FAULT } from './yaml/document.ts';

/** Keys whose values are templates of their own. */
const TEMPLATE_KEY = /^\s*(?:-\s+)?["']?(?:context_name_template|cluster_name_template|message)["']?\s*:/;

/** Low enough to stay readable, and no file has more to say. */
const MOST_FAULTS = 100;

/** The lines that hold templates or variables, and what else is wrong with the file once they are filled in; may be none. */
export function unrenderedFaults(text: string): readonly Fault[] {
  const lines = text.split(/\r?\n/);
  const refusals = lines.map((line) => (TEMPLATE_KEY.test(line) ? undefined : refusalOf(withoutComment(line))));
  const faults = refusals.flatMap((message, at) =>
    message === undefined ? [] : [{ path: 'document', line: at + 1, message }],
  );
  if (faults.length === 0) return acrossLines(text);
  const rendered = readYaml(lines.map((line, at) => (refusals[at] === undefined ? line : filledIn(line))).join('\n'));
  const others = 'faults' in rendered ? rendered.faults : [];
  return [
    ...faults,
    ...others.filter(({ line, message }) => {
      // What a loop or a condition repeats would look like a key given twice.
      return message.startsWith(SYNTAX_FAULT) && line !== undefined && refusals[line - 1] === undefined;
    }),
  ].slice(0, MOST_FAULTS);
}

function acrossLines(text: string): readonly Fault[] {
  const withoutComments = text.replace(/#(?!\{).*$/gm, (comment) => ' '.repeat(comment.length));
  const template = templateIn(withoutComments);
  if (template === undefined || !/[\r\n]/.test(template.message)) return [];
  const line = text.slice(0, template.offset).split('\n').length;
  return [{ path: 'document', line, message: template.message }];
}

/** YAML lets no plain text begin with any of these signs. */
const REFUSED_VALUE = /:\s+([`%@][^,\]}]*)/;

function refusalOf(line: string): string | undefined {
  const [, value] = REFUSED_VALUE.exec(line) ?? [];
  return unexpandedValue(line) ?? (value === undefined ? undefined : unexpandedPath(value.trimEnd()));
}

function withoutComment(line: string): string {
  return line.replace(/(?:^|\s)#(?!\{).*$/, '');
}

/** A line that is nothing but a template is a statement, and leaves nothing. */
function filledIn(line: string): string {
  const alone = withoutTemplates(line, '').trim() === '';
  return alone ? '' : withoutTemplates(line, 'x').replace(REFUSED_VALUE, ': x');
}
