/** Which OIDC token a join needs, where it is looked for, and what is found. */
import type { Commands } from '../effects/programs.ts';
import type { Mask, Secret } from '../effects/secret.ts';
import type { Clock } from '../effects/time.ts';
import type { OidcClaims } from './oidc-claims.ts';

export type JoinMethod = 'circleci' | 'generic_oidc';

export type TokenRequest = { readonly joinMethod: 'circleci' } | GenericTokenRequest;

export interface GenericTokenRequest {
  readonly joinMethod: 'generic_oidc';
  /** The only audience that the token may have; undefined if the configuration does not say. */
  readonly audience: string | undefined;
  /** Undefined for CircleCI's agent, or without an audience, CircleCI's default token. */
  readonly source: TokenSource | undefined;
}

/** From `onboarding.generic_oidc` of the file. */
export type TokenSource =
  | { readonly kind: 'variable'; readonly name: string; readonly setting: string }
  | {
      readonly kind: 'command';
      readonly program: string;
      readonly args: readonly string[];
      readonly timeoutMs: number;
      /** Where it is configured, for messages: `onboarding.generic_oidc.command (tbot.yaml line 5)`. */
      readonly setting: string;
    };

/** A token and its origin, which determines what the user can do about a problem. */
export interface ObtainedToken {
  readonly claims: OidcClaims;
  /** A variable's name, a command line, or the setting with the command. */
  readonly source: string;
  readonly origin: 'variable' | 'named variable' | 'configured variable' | 'command' | 'agent';
  /** Why CircleCI's agent printed no better token, if it was asked: one line for each program. */
  readonly agentRefusals: readonly string[];
}

export interface OidcToken extends ObtainedToken {
  readonly jwt: Secret;
}

export interface OidcTokenSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly commands: Commands;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Hides every token that is found. */
  readonly mask: Pick<Mask, 'hide'>;
  /** Cancels the wait for CircleCI's agent. */
  readonly signal?: AbortSignal;
  /** The variable that the user names; undefined for what the request says, or CircleCI's variables. */
  readonly variable?: string | undefined;
  /** By default, that of the join method circleci. */
  readonly request?: TokenRequest | undefined;
}
