/** What one look at a job or its cluster has found. */
import type { World } from '../effects/world.ts';
import { asMachineIdError, type MachineIdError, printable } from '../errors.ts';
import { withProxyCause } from '../teleport/proxy-variables.ts';

export type CheckState = 'pass' | 'warn' | 'fail' | 'skip';

/** Nothing in it is secret. */
export interface Check {
  /** Stays the same in later versions. */
  readonly id: string;
  readonly title: string;
  readonly state: CheckState;
  /** What was found; several lines where there is a list, each printable. */
  readonly detail: string;
  /** What to do. */
  readonly cure?: string;
}

/** One line, or a list of them: line breaks in a text are not kept. */
type Detail = string | readonly string[];

export interface NamedCheck {
  pass(detail: Detail): Check;
  warn(detail: Detail, cure: string): Check;
  fail(detail: Detail, cure: string): Check;
  /** @param reason what must hold first */
  skip(reason: string): Check;
  /** A step of a run that failed, in its own words. */
  failed(error: MachineIdError): Check;
  /** The same for a step that goes over the network. */
  unreached(error: unknown, world: Pick<World, 'environment'>): Check;
}

export function check(id: string, title: string): NamedCheck {
  const found = (state: CheckState, detail: Detail, cure?: string): Check => ({
    id: printable(id),
    title: printable(title),
    state,
    detail: [detail].flat().map(printable).join('\n'),
    ...(cure === undefined ? {} : { cure: printable(cure) }),
  });
  const failed = (error: MachineIdError) => found('fail', wordsOf(error), error.hint);
  return {
    pass: (detail) => found('pass', detail),
    warn: (detail, cure) => found('warn', detail, cure),
    fail: (detail, cure) => found('fail', detail, cure),
    skip: (reason) => found('skip', reason),
    failed,
    unreached: (error, { environment }) => failed(withProxyCause(asMachineIdError(error), environment)),
  };
}

function wordsOf({ code, faults, likelyCauses, message }: MachineIdError): readonly string[] {
  const unsaid = faults.filter((fault) => !message.includes(fault.message));
  const lines = unsaid.map(
    ({ line, message: text, path }) => `${path}${line === undefined ? '' : ` (line ${line})`}: ${text}`,
  );
  const causes = likelyCauses.map((cause, at) => `likely cause ${at + 1}: ${cause}`);
  return [...`${message} [${code}]`.split('\n'), ...lines, ...causes];
}
