/** The flags of `run`. */
import { deadlineMs, type Flag, flagsOf, type GivenFlags, parseFlags, timeoutMs } from '../cli/flags.ts';
import { RUN_OPTIONS, type RunFlags, runFlags, SETTINGS } from '../config/settings.ts';
import { MachineIdError } from '../errors.ts';
import type { Engine } from '../outputs/result.ts';

export const RUN = { ...SETTINGS, ...RUN_OPTIONS };

export const RUN_FLAGS: readonly Flag[] = flagsOf(RUN);

export interface RunArguments {
  readonly flags: RunFlags;
  readonly caFile: string | undefined;
  /** Name of the variable that holds the OIDC token; undefined for CircleCI's own. */
  readonly oidcToken: string | undefined;
  /** File with the join token, to explain a refusal. */
  readonly tokenFile: string | undefined;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly exportVariables: boolean;
  readonly json: boolean;
  /** Whether the credentials are renewed until the job ends. */
  readonly refresh: boolean;
  readonly report: string | undefined;
  readonly engine: Engine;
  /** All flags, unchecked. */
  readonly given: GivenFlags;
}

/**
 * @param known the flags of another command that shares these
 * @throws MachineIdError USAGE_INVALID
 */
export function readRunArguments(args: readonly string[], known = RUN_FLAGS): RunArguments {
  const given = parseFlags(known, args);
  const text = (name: string) => given.get(name)?.[0];
  return {
    flags: runFlags(given),
    caFile: text('ca-file'),
    oidcToken: variableOf(text('oidc-token')),
    tokenFile: text('token-file'),
    timeoutMs: timeoutMs(given),
    deadlineMs: deadlineMs(given),
    exportVariables: !given.has('no-export'),
    json: given.has('json'),
    refresh: given.has('refresh'),
    report: text('report'),
    engine: engineOf(given),
    given,
  };
}

/** The value is not quoted, because it may be the token itself. */
function variableOf(text: string | undefined): string | undefined {
  if (text === undefined || /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) return text;
  throw new MachineIdError('USAGE_INVALID', '--oidc-token must be the name of a variable, such as MY_OIDC_TOKEN', {
    hint: 'Pass only the name, without "$": the token itself does not belong on a command line.',
  });
}

function engineOf(given: GivenFlags): Engine {
  const [text = ''] = given.get('engine') ?? [];
  if (text === '' || text === 'native') return 'native';
  if (text === 'tbot') return text;
  throw new MachineIdError('USAGE_INVALID', `--engine ${JSON.stringify(text)} must be one of native, tbot`, {
    hint: 'Leave it out to join with this program itself.',
  });
}
