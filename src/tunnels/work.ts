/** What every tunnel of a process works with. */
import type { Files } from '../effects/files.ts';
import type { Log } from '../effects/log.ts';
import type { Clock } from '../effects/time.ts';
import type { World } from '../effects/world.ts';
import type { WriteRecord } from '../job/manifest.ts';
import type { Bot } from './bot.ts';
import type { ConnectionCounts } from './connections.ts';
import type { ProxyHealth } from './proxy-health.ts';
import type { ProxyAccess } from './upstream.ts';

export type Program = Pick<World, 'bundlePath' | 'commands' | 'environment' | 'nodePath' | 'workingDirectory'>;

export interface TunnelWork {
  /** Of this tunnel, for messages and variables. */
  readonly name: string;
  readonly bot: Bot;
  readonly proxy: ProxyAccess;
  readonly health: ProxyHealth;
  /** Keeps count for the status of the tunnel; each connection of a client is reported to it. */
  readonly counts: ConnectionCounts;
  /** Connections at the same time. */
  readonly maxConnections: number;
  readonly clock: Clock;
  readonly files: Files;
  /** For a tunnel that writes files: this program, and where relative paths start. */
  readonly program: Program;
  /** Everything that is written is recorded here first. */
  readonly record: WriteRecord;
  /** Lines begin with the name of the tunnel. */
  readonly log: Pick<Log, 'debug' | 'info' | 'warn'>;
  /** Aborted when the tunnel ends. */
  readonly signal: AbortSignal;
}
