/** What a run has done, as the summary and the JSON object tell it. */
import type { Span } from './account.ts';
import type { JoinPath } from '../join/join.ts';

export interface WrittenOutput {
  readonly type: string;
  /** Absolute path of the directory, or `memory`. */
  readonly destination: string;
  /** Relative to the destination, in the order of writing. */
  readonly files: readonly string[];
  readonly roles: readonly string[];
  readonly expiresAtMs: number;
  /** What the certificates are good for, when that is one resource; how a later step calls it. */
  readonly access?: Access | undefined;
  /** Sentences that a person should read: a shortened lifetime, say. */
  readonly notices: readonly string[];
}

export type Access =
  | { readonly kind: 'aws'; readonly role: string; readonly profile: string }
  | { readonly kind: 'application'; readonly name: string; readonly address: string }
  | {
      readonly kind: 'database';
      readonly name: string;
      /** As Teleport calls it: `postgres`, `mysql`. */
      readonly protocol: string;
      readonly user: string | undefined;
      readonly database: string | undefined;
    };

/** This program itself, or the tbot that is installed. */
export type Engine = 'native' | 'tbot';

export interface RunResult {
  /** `host:port` of the Proxy. */
  readonly proxy: string;
  readonly cluster: string;
  readonly clusterVersion: string;
  /** Undefined when tbot has joined and has left no certificate that names the bot. */
  readonly bot: string | undefined;
  /** Who has joined and written. */
  readonly engine: Engine;
  /** Undefined when tbot has joined: it does not tell how. */
  readonly joinPath: JoinPath | undefined;
  readonly outputs: readonly WrittenOutput[];
  /** Path of the file that later steps read, when variables were exported. */
  readonly exportedTo: string | undefined;
  readonly timingsMs: Readonly<Record<string, number>>;
  /** In the order of their beginning. */
  readonly spans: readonly Span[];
}
