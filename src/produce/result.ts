/** What a run has done, as the summary and the JSON object tell it. */
import type { JoinPath } from '../join/join.ts';

export interface WrittenOutput {
  readonly type: string;
  /** Absolute path of the directory, or `memory`. */
  readonly destination: string;
  /** Relative to the destination, in the order of writing. */
  readonly files: readonly string[];
  readonly roles: readonly string[];
  readonly expiresAtMs: number;
  /** Sentences that a person should read: a shortened lifetime, say. */
  readonly notices: readonly string[];
}

export interface RunResult {
  /** `host:port` of the Proxy. */
  readonly proxy: string;
  readonly cluster: string;
  readonly clusterVersion: string;
  readonly bot: string;
  readonly joinPath: JoinPath;
  readonly outputs: readonly WrittenOutput[];
  /** Path of the file that later steps read, when variables were exported. */
  readonly exportedTo: string | undefined;
  readonly timingsMs: Readonly<Record<string, number>>;
}
