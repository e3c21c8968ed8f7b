/** The result of one check of the job or its cluster. */
import type { World } from '../../effects/world.ts';
import { asMachineIdError, type MachineIdError, printable } from '../../errors.ts';
import { withProxyCause } from '../../net/egress-cause.ts';

export type CheckState = 'pass' | 'warn' | 'fail' | 'skip';

/** Contains no secrets. */
export interface Check {
  /** Stable across versions. */
  readonly id: string;
  readonly title: string;
  readonly state: CheckState;
  /** What was found; printable lines, one for each item of a list. */
  readonly detail: string;
  /** What to do. */
  readonly fix?: string;
}

/** One line or a list of lines. Line breaks inside a line become spaces. */
type Detail = string | readonly string[];

export interface NamedCheck {
  pass(detail: Detail): Check;
  warn(detail: Detail, fix: string): Check;
  fail(detail: Detail, fix: string): Check;
  /** @param reason the precondition that is not met */
  skipped(reason: string): Check;
  /** A failed check with the message and hint of an error. */
  failed(error: MachineIdError): Check;
  /** The same for an error of the network: an HTTP proxy in the environment is listed as its likely cause. */
  networkFailed(error: unknown, world: Pick<World, 'environment'>): Check;
}

export function check(id: string, title: string): NamedCheck {
  const found = (state: CheckState, detail: Detail, fix?: string): Check => ({
    id: printable(id),
    title: printable(title),
    state,
    detail: [detail].flat().map(printable).join('\n'),
    ...(fix === undefined ? {} : { fix: printable(fix) }),
  });
  const failed = (error: MachineIdError) => found('fail', failureDetail(error), error.hint);
  return {
    pass: (detail) => found('pass', detail),
    warn: (detail, fix) => found('warn', detail, fix),
    fail: (detail, fix) => found('fail', detail, fix),
    skipped: (reason) => found('skip', reason),
    failed,
    networkFailed: (error, { environment }) => failed(withProxyCause(asMachineIdError(error), environment)),
  };
}

function failureDetail({ code, problems, likelyCauses, message }: MachineIdError): readonly string[] {
  const unsaid = problems.filter((problem) => !message.includes(problem.message));
  const lines = unsaid.map(
    ({ line, message: text, path }) => `${path}${line === undefined ? '' : ` (line ${line})`}: ${text}`,
  );
  const causes = likelyCauses.map((cause, at) => `likely cause ${at + 1}: ${cause}`);
  return [...`${message} [${code}]`.split('\n'), ...lines, ...causes];
}
