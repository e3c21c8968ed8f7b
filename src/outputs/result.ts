/** The result of a run: what was written, what failed, and how long each part took. */
import type { MachineIdError } from '../errors.ts';
import type { JoinMethod } from '../job/token-request.ts';
import type { JoinPath } from '../join/join.ts';

export interface RunResult {
  /** `host:port` of the Proxy; undefined if the cluster was joined at the Auth Service, which reports none. */
  readonly proxy: string | undefined;
  /** `host:port` of the Auth Service, if the cluster was joined there. */
  readonly auth?: string | undefined;
  /** Hosts at which clients reach the Proxy; undefined if it was not asked. */
  readonly proxyHosts?: readonly string[] | undefined;
  readonly cluster: string;
  readonly clusterVersion: string;
  /** Undefined when tbot has joined and has left no certificate that names the bot. */
  readonly bot: string | undefined;
  /** Undefined for tbot, and on clusters before 16. */
  readonly botInstanceId?: string | undefined;
  /** Who has joined and written. */
  readonly engine: Engine;
  readonly joinMethod: JoinMethod;
  /** Undefined when tbot has joined: it does not report how. */
  readonly joinPath: JoinPath | undefined;
  /** The outputs that were written. */
  readonly outputs: readonly WrittenOutput[];
  readonly failures: readonly FailedOutput[];
  /** Names of the variables that later steps get. */
  readonly exported: readonly string[];
  readonly timingsMs: Readonly<Record<string, number>>;
  /** In the order in which they began. */
  readonly spans: readonly Span[];
}

/** What an engine returns. */
export type RunEnd = Omit<RunResult, 'exported' | 'timingsMs' | 'spans'> & {
  /** The error that the run ends with; undefined when every output was written. */
  readonly failure: MachineIdError | undefined;
};

export interface WrittenOutput {
  /** In the configuration: `outputs[0]`, `services[1]` or a flag. */
  readonly path: string;
  readonly type: string;
  /** Absolute path of the directory, or `memory`. */
  readonly destination: string;
  /** Relative to the destination, in the order of writing. */
  readonly files: readonly string[];
  readonly roles: readonly string[];
  /** Unix users to log in as by ssh; undefined where the certificates are not for ssh. */
  readonly logins?: readonly string[] | undefined;
  readonly expiresAtMs: number;
  /** What the names in the output's kubeconfig are, if it has one. */
  readonly kubeconfig?: KubeconfigNames | undefined;
  /** The one resource that the certificates are for, if there is one, and how a later step calls it. */
  readonly access?: Access | undefined;
  /** Sentences that a person should read, for example about a shortened lifetime. */
  readonly notices: readonly string[];
}

/** An output that was not written, or not completely. */
export interface FailedOutput {
  readonly path: string;
  /** Of the configuration file, counted from 1; undefined where there is no file. */
  readonly line: number | undefined;
  readonly type: string;
  readonly error: MachineIdError;
}

export interface KubeconfigNames {
  /** In the file's order. */
  readonly contexts: readonly string[];
  readonly user: string;
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

/** Who is at work: this machine, the cluster that is asked, or an output with both. */
type SpanKind = 'job' | 'cluster' | 'output';

/** A part of a run, in whole milliseconds since the run's start; parts may overlap. */
export interface Span {
  readonly kind: SpanKind;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** `unfinished` had not ended when the run did. */
  readonly outcome: 'done' | 'failed' | 'unfinished';
}
