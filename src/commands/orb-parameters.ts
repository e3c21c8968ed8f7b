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

const OF_JOIN: readonly OrbParameter[] = [
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
    parameters: [...OF_JOIN, word('deadline', DEADLINE_S), { name: 'export_env', flag: 'no-export', kind: 'off' }],
  },
  doctor: {
    command: 'doctor',
    parameters: [
      ...OF_JOIN,
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
export const OF_EGRESS: readonly OrbParameter[] = [text('download_url'), text('node_mirror'), text('cdn_base_url')];
