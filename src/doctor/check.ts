/** What one look at a job or its cluster has found. */
import type { MachineIdError } from '../errors.ts';

export type CheckState = 'pass' | 'warn' | 'fail' | 'skip';

/** Nothing in it is secret. */
export interface Check {
  /** Stays the same in later versions. */
  readonly id: string;
  readonly title: string;
  readonly state: CheckState;
  /** What was found; several lines where there is a list. */
  readonly detail: string;
  /** What to do. */
  readonly cure?: string;
}

export interface NamedCheck {
  pass(detail: string): Check;
  warn(detail: string, cure: string): Check;
  fail(detail: string, cure: string): Check;
  /** @param reason what must hold first */
  skip(reason: string): Check;
  /** A step of a run that failed, in its own words. */
  failed(error: MachineIdError): Check;
}

export function check(id: string, title: string): NamedCheck {
  const named = { id, title };
  return {
    pass: (detail) => ({ ...named, state: 'pass', detail }),
    warn: (detail, cure) => ({ ...named, state: 'warn', detail, cure }),
    fail: (detail, cure) => ({ ...named, state: 'fail', detail, cure }),
    skip: (reason) => ({ ...named, state: 'skip', detail: reason }),
    failed: (error) => ({ ...named, state: 'fail', detail: wordsOf(error), cure: error.hint }),
  };
}

function wordsOf({ code, faults, likelyCauses, message }: MachineIdError): string {
  const unsaid = faults.filter((fault) => !message.includes(fault.message));
  const lines = unsaid.map(
    ({ line, message: text, path }) => `${path}${line === undefined ? '' : ` (line ${line})`}: ${text}`,
  );
  const causes = likelyCauses.map((cause, at) => `likely cause ${at + 1}: ${cause}`);
  return [`${message} [${code}]`, ...lines, ...causes].join('\n');
}
