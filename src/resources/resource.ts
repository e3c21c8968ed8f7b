/** What a set-up creates in Teleport: the bot, and the join token that lets jobs become it. */
import type { AllowRule } from '../join/allow-rule.ts';

/** For `tctl create`, or for Teleport's Kubernetes operator (`resources.teleport.dev`). */
export type ResourceForm = 'tctl' | 'operator';

/** Where something stands in its file. */
interface Placed {
  readonly line: number | undefined;
}

export interface PlacedRule extends Placed {
  readonly rule: AllowRule;
}

export interface JoinToken extends Placed {
  readonly kind: 'token';
  /** May be shown: where the name is a secret, it is blanked as Teleport does. */
  readonly name: string;
  /** Milliseconds since the Unix epoch; undefined for one that does not end. */
  readonly expiresAtMs: number | undefined;
  readonly joinMethod: string;
  readonly roles: readonly string[];
  readonly botName: string | undefined;
  /** The rest is of the join method `circleci` alone. */
  readonly organizationId: string | undefined;
  readonly rules: readonly PlacedRule[];
}

export interface Bot extends Placed {
  readonly kind: 'bot';
  readonly name: string;
  readonly roles: readonly string[];
}

export type Resource = JoinToken | Bot;
