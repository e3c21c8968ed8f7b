/** Replaces the flags in messages with the orb parameters that set them. */
import { ORB_STEPS } from './orb-steps.ts';

/** For each flag, the parameter and, for a switch, the value that sets the flag. */
const PARAMETERS = new Map<string, readonly [name: string, value: string | undefined]>(
  Object.values(ORB_STEPS).flatMap(({ parameters }) =>
    parameters.flatMap(({ flag, orb: { default: preset = false, name, type } }) =>
      flag === undefined ? [] : [[flag, [name, type === 'boolean' ? String(preset !== true) : undefined]]],
    ),
  ),
);

/** Other names of flags. */
const ALIASES: Readonly<Record<string, string>> = {
  'destination-dir': 'destination',
  'certificate-ttl': 'credential-ttl',
};

/** Commands of the orb, by command of this program. */
const COMMANDS: Readonly<Record<string, string>> = {
  run: 'join',
  doctor: 'doctor',
  cleanup: 'cleanup',
  exec: 'exec',
  'install-tools': 'install_tools',
};

const QUOTE = '["\'`]';
const MENTION = new RegExp(
  [
    `${QUOTE}(?:machine-id )?(?<command>[a-z-]+) --(?<onlyFlag>[a-z-]+)${QUOTE}(?: \\(orb parameter [^)]*\\))?`,
    // Commands of other programs, such as "tctl auth export --type=user".
    `${QUOTE}(?:tctl|tsh|tbot|ssh|kubectl|machine-id)\\b[^"'\`\\n]*${QUOTE}`,
    '--[a-z-]+(?: [a-z]+| [A-Z:]+)? \\(orb parameter (?<parameter>[^)]*)\\)',
    // In a table, the columns must stay aligned.
    '(?<open>\\(?)(?<![\\w-])--(?<cell>[a-z][a-z0-9-]*)(?<close>\\)?)(?= {2})',
    '(?:(?:the )?flag )?(?<![\\w-])--(?<flag>[a-z][a-z0-9-]*)(?:[= ](?<value>"[^"\\n]*"|\\d+|tbot\\b|[A-Z]{2,}(?::[A-Z]+)?\\b))?',
  ].join('|'),
  'g',
);

/** The text with each flag replaced by the parameter that sets it; flags without a parameter are kept. */
export function inOrbTerms(text: string): string {
  let from = 0;
  let said = '';
  for (const { 0: match, groups = {}, index } of text.matchAll(MENTION)) {
    said += text.slice(from, index) + (inTable(groups) ?? inTerms(groups) ?? match);
    from = index + match.length;
  }
  return said + text.slice(from);
}

function inTable({ cell, close = '', open = '' }: Groups): string | undefined {
  const [name] = PARAMETERS.get(cell ?? '') ?? [];
  if (cell === undefined || name === undefined) return undefined;
  return `${open}${name}${close}`.padEnd(open.length + '--'.length + cell.length + close.length);
}

type Groups = Readonly<Record<string, string | undefined>>;

function inTerms({ command, flag, onlyFlag, parameter, value }: Groups) {
  if (parameter !== undefined) return `the parameter ${parameter}`;
  const given = flag ?? onlyFlag ?? '';
  const [name, preset] = PARAMETERS.get(ALIASES[given] ?? given) ?? [];
  if (name === undefined) return undefined;
  // A word in capitals stands for a value.
  const said = preset ?? (value === undefined || /^[A-Z]/.test(value) ? undefined : value);
  const setting = said === undefined ? name : `${name}: ${said}`;
  if (command === undefined) return said === undefined ? `the parameter ${name}` : setting;
  const called = COMMANDS[command];
  return called === undefined ? undefined : `the command ${called} with ${setting}`;
}
