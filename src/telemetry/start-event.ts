/** The event that tells Teleport's vendor, without names, that a run has started (protocol reference 8). */

export interface StartFacts {
  /** Types of the outputs, as `tbot.yaml` names them. */
  readonly outputTypes: readonly string[];
  /** Of this program. */
  readonly version: string;
  /** Random, and used once. */
  readonly eventId: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedMs: number;
}

/** What tells this program's events from those of tbot. */
export const HELPER = 'circleci-orb:teleport/machine-id';

/** `TbotStartEvent.RunMode`: RUN_MODE_ONE_SHOT. */
const ONE_SHOT = 1;

/** A `SubmitTbotEventRequest` in protobuf's JSON form: all that is ever sent. */
export interface StartEvent {
  readonly distinctId: string;
  readonly timestamp: string;
  readonly start: {
    readonly runMode: number;
    readonly version: string;
    readonly joinType: string;
    readonly helper: string;
    readonly helperVersion: string;
    readonly destinationsOther: number;
    readonly destinationsDatabase: number;
    readonly destinationsKubernetes: number;
    readonly destinationsApplication: number;
  };
}

export function startEvent({ eventId, outputTypes, startedMs, version }: StartFacts): StartEvent {
  const count = (...types: readonly string[]) => outputTypes.filter((type) => types.includes(type)).length;
  const database = count('database');
  const application = count('application');
  // tbot counts `kubernetes/v2` among the others.
  const kubernetes = count('kubernetes');
  return {
    distinctId: eventId,
    timestamp: new Date(startedMs).toISOString(),
    start: {
      runMode: ONE_SHOT,
      version,
      joinType: 'circleci',
      helper: HELPER,
      helperVersion: version,
      destinationsOther: outputTypes.length - database - kubernetes - application,
      destinationsDatabase: database,
      destinationsKubernetes: kubernetes,
      destinationsApplication: application,
    },
  };
}
