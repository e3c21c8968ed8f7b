/** The parameters of the orb's steps, and the flag of this program that each one becomes. */
import { RETRY_POLICY } from '../effects/retry.ts';

export interface OrbParameter {
  readonly name: string;
  /** What the value is given as; a switch is given when the parameter is true. */
  readonly flag: string;
  /** `off` is a switch that is given when the parameter is false; a `word` is one of a list, a `text` may hold variables. */
  readonly kind: 'text' | 'word' | 'switch' | 'off';
  /** What needs no flag, as the command does so by itself. */
  readonly preset?: string;
}

function text(name: string, flag = name.replaceAll('_', '-')): OrbParameter {
  return { name, flag, kind: 'text' };
}

function toggle(name: string): OrbParameter {
  return { name, flag: name, kind: 'switch' };
}

function word(name: string, preset: string | number): OrbParameter {
  return { name, flag: name.replaceAll('_', '-'), kind: 'word', preset: String(preset) };
}

const JOIN_PARAMETERS: readonly OrbParameter[] = [
  text('config'),
  text('proxy', 'proxy-server'),
  text('token'),
  text('destination'),
  text('kubernetes_cluster'),
  text('database'),
  text('database_user'),
  text('database_name'),
  text('application'),
  text('credential_ttl'),
  text('ca_file'),
  text('report'),
  word('oidc_token', 'CIRCLE_OIDC_TOKEN'),
  word('engine', 'native'),
  toggle('ssh'),
  toggle('debug'),
];

const DEADLINE_S = RETRY_POLICY.deadlineMs / 1000;
const TOOLS_PLACE = text('tools_dir', 'plan');

export interface OrbStep {
  readonly command: string;
  readonly parameters: readonly OrbParameter[];
}

/** By the name that the step gives itself. */
export const ORB_STEPS: Readonly<Record<string, OrbStep>> = {
  join: {
    command: 'run',
    parameters: [
      ...JOIN_PARAMETERS,
      word('deadline', DEADLINE_S),
      { name: 'export_env', flag: 'no-export', kind: 'off' },
    ],
  },
  doctor: {
    command: 'doctor',
    parameters: [
      ...JOIN_PARAMETERS,
      text('junit'),
      toggle('egress'),
      word('deadline', RETRY_POLICY.doctorDeadlineMs / 1000),
      { name: 'export_env', flag: 'no-export', kind: 'off' },
    ],
  },
  plan_tools: {
    command: 'install-tools',
    parameters: [
      { ...TOOLS_PLACE, flag: 'write-plan' },
      text('tools_dir', 'dir'),
      text('tools'),
      text('version'),
      word('edition', 'auto'),
      word('fips', 'auto'),
      text('proxy', 'proxy-server'),
      text('cdn_base_url'),
      text('sha256'),
      text('ca_file'),
      word('deadline', DEADLINE_S),
    ],
  },
  install_tools: { command: 'install-tools', parameters: [TOOLS_PLACE, text('ca_file'), word('deadline', DEADLINE_S)] },
  cleanup: {
    command: 'cleanup',
    parameters: [{ name: 'left_over', flag: 'left-over', kind: 'switch' }],
  },
};

/** Of doctor, where it lists the connections of the job. */
export const EGRESS_PARAMETERS: readonly OrbParameter[] = [
  text('download_url'),
  text('node_mirror'),
  text('cdn_base_url'),
];

// Says in the words of the orb what the program says in those of its command line.

/** By flag, the parameter and, for a switch, the value that gives it. */
const PARAMETERS = new Map<string, readonly [name: string, value: string | undefined]>(
  [...Object.values(ORB_STEPS).flatMap(({ parameters }) => parameters), ...EGRESS_PARAMETERS].map(
    ({ flag, kind, name }) => [flag, [name, kind === 'switch' ? 'true' : kind === 'off' ? 'false' : undefined]],
  ),
);

/** Other names of flags. */
const ALIASES: Readonly<Record<string, string>> = {
  'destination-dir': 'destination',
  'certificate-ttl': 'credential-ttl',
};

/** Of the orb, by those of this program. */
const COMMANDS: Readonly<Record<string, string>> = {
  run: 'join',
  doctor: 'doctor',
  cleanup: 'cleanup',
  'install-tools': 'install_tools',
};

const QUOTE = '["\'`]';
const MENTION = new RegExp(
  [
    `${QUOTE}(?:machine-id )?(?<command>[a-z-]+) --(?<onlyFlag>[a-z-]+)${QUOTE}(?: \\(orb parameter [^)]*\\))?`,
    // What is to be typed somewhere else, such as "tctl auth export --type=user".
    `${QUOTE}(?:tctl|tsh|tbot|ssh|kubectl|machine-id)\\b[^"'\`\\n]*${QUOTE}`,
    '--[a-z-]+(?: [a-z]+| [A-Z:]+)? \\(orb parameter (?<parameter>[^)]*)\\)',
    // In a table, whose columns stay in line.
    '(?<open>\\(?)(?<![\\w-])--(?<cell>[a-z][a-z0-9-]*)(?<close>\\)?)(?= {2})',
    '(?:(?:the )?flag )?(?<![\\w-])--(?<flag>[a-z][a-z0-9-]*)(?:[= ](?<value>"[^"\\n]*"|\\d+|tbot\\b|[A-Z]{2,}(?::[A-Z]+)?\\b))?',
  ].join('|'),
  'g',
);

/** The text with each flag replaced by the parameter that gives it; a flag that no parameter gives stays. */
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
