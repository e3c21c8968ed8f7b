/** Plays one case: prepares a job, spoils what the case says, runs the bundle, and gathers what it did. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import type { RequestKind } from '../cluster/records.ts';
import { listing } from '../e2e/folder-listing.ts';
import { beginJob, type Job } from '../e2e/job.ts';
import { listening } from './listening.ts';
import { configText, outputOf } from './outputs.ts';
import type { Case, Place, Version } from './plan.ts';
import { type ProgramEnd, runProgram, within } from './program.ts';
import type { Relay } from './relay.ts';
import type { Stage, Stages } from './stage.ts';
import { chooserFor, isBalancer, replyOf, requestOf } from './target.ts';
import {
  brokenUse,
  isTunnel,
  OtherEnds,
  PATIENT_MS,
  patienceMs,
  tunnelConfig,
  type TunnelPhase,
  useTunnel,
} from './tunnel.ts';

/** How long a run waits for a response: longer than the two seconds after which it tries other ways to reach Auth. */
const TIMEOUT_S = 3;
const DEADLINE_S = 4;
const LIMITS = ['--timeout', String(TIMEOUT_S), '--deadline', String(DEADLINE_S)];
/** Then it hangs. `ssh-proxy-command` has the timeout of 30 s and the deadline of 60 s that are not flags. */
const RUN_LIMIT_MS = 20_000;
const UNHURRIED_MS = 120_000;
const SSH_LIMIT_MS = 110_000;

/** The files of a destination by their names: mode and contents, without folders. */
export type FileSet = ReadonlyMap<string, string>;

export interface Observation {
  readonly end: ProgramEnd;
  /** The connections: port, ALPN, bytes. */
  readonly passages: readonly string[];
  /** Whether the fault came to pass. */
  readonly isReached: boolean;
  /** Connections that the program has left open. */
  readonly open: number;
  /** The files of the earlier run, and those now; empty if there were none. */
  readonly before: FileSet;
  readonly after: FileSet;
  /** Names of the files that the output consists of. */
  readonly names: readonly string[];
  /** Elsewhere in the job: relative path to mode and contents. */
  readonly elsewhere: FileSet;
  readonly token: string;
  /** What `ssh-proxy-command` must deliver; undefined for a run. */
  readonly delivery: Buffer | undefined;
  /** What went wrong in the use of a tunnel; undefined for anything else. */
  readonly use: readonly string[] | undefined;
}

const INPUT = Buffer.alloc(6000, 'from the client ');
const DELIVERY = Buffer.concat([
  Buffer.alloc(30_000, 'from the node '),
  Buffer.from(createHash('sha256').update(INPUT).digest('hex')),
]);

export class Player {
  readonly #stages: Stages;
  readonly #references = new Map<string, Promise<FileSet>>();
  readonly #peer: Promise<number>;
  readonly #ends = new Map<Cluster, Promise<OtherEnds>>();
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => {
    const seen = createHash('sha256');
    socket.on('error', () => socket.destroy());
    socket.write(DELIVERY.subarray(0, 30_000));
    socket.on('data', (bytes: Buffer) => seen.update(bytes));
    socket.once('end', () => socket.end(seen.digest('hex')));
  });

  constructor(stages: Stages) {
    this.#stages = stages;
    this.#peer = listening(this.#server);
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const ends of this.#ends.values()) (await ends).close();
  }

  async play(one: Case): Promise<Observation> {
    const { phase } = one;
    if (isTunnel(phase)) {
      return this.#stages.with(one, async (stage) =>
        new TunnelScene(one, phase, stage).play(await this.#endsOf(stage)),
      );
    }
    const reference = await this.#reference(one);
    const peer = await this.#peer;
    return this.#stages.with(one, (stage) => new Scene(one, stage, { reference, peer }).play());
  }

  #endsOf({ cluster }: Stage): Promise<OtherEnds> {
    const known = this.#ends.get(cluster) ?? OtherEnds.start(cluster);
    this.#ends.set(cluster, known);
    return known;
  }

  /** The files of a run without faults. */
  #reference({ phase, version }: { readonly phase: Case['phase']; readonly version: Version }): Promise<FileSet> {
    const name = `${outputOf(phase)} ${version}`;
    const known = this.#references.get(name) ?? this.#runWithoutFaults({ phase, version });
    this.#references.set(name, known);
    return known;
  }

  #runWithoutFaults({ phase, version }: Pick<Case, 'phase' | 'version'>): Promise<FileSet> {
    const place: Place = { front: 'plain', version };
    return this.#stages.with(place, (stage) =>
      inJob(stage.cluster, async (job) => {
        const { exitCode, stderr } = await runProgram(runOf(job, stage, { phase, asProcess: false, limits: [] }));
        if (exitCode !== 0) throw new Error(`without a fault, ${phase} on ${version} fails: ${stderr}`);
        return filesIn(job.destination);
      }),
    );
  }
}

interface Props {
  readonly reference: FileSet;
  /** The port of the node. */
  readonly peer: number;
}

class Scene {
  readonly #case: Case;
  readonly #stage: Stage;
  readonly #props: Props;

  constructor(one: Case, stage: Stage, props: Props) {
    this.#case = one;
    this.#stage = stage;
    this.#props = props;
  }

  play(): Promise<Observation> {
    const { cluster, relay } = this.#stage;
    return inJob(cluster, async (job) => {
      const isSsh = this.#case.phase === 'ssh-transport';
      const before = isSsh || this.#case.old === 'yes' ? this.#props.reference : new Map<string, string>();
      place(before, job.destination);
      const refused = this.#refuse();
      relay.begin(chooserFor(this.#case));
      try {
        const end = await runProgram(isSsh ? await this.#sshOf(job) : this.#runOf(job));
        await closing(relay);
        return {
          end,
          passages: passagesOf(relay),
          isReached: refused.count > 0 || relay.passages.some(({ isSpoiled }) => isSpoiled),
          open: relay.open.length,
          before,
          after: await filesIn(job.destination),
          names: [...this.#props.reference.keys()],
          elsewhere: await elsewhereIn(job),
          token: job.environment.CIRCLE_OIDC_TOKEN ?? '',
          delivery: isSsh ? DELIVERY : undefined,
          use: undefined,
        };
      } finally {
        relay.end();
        cluster.faults.replies = {};
      }
    });
  }

  #runOf(job: Job) {
    const { phase, process } = this.#case;
    return runOf(job, this.#stage, { phase, asProcess: process === 'yes', limits: LIMITS });
  }

  /** The requests of the phase are refused from now on, or the first one. */
  #refuse(): { readonly count: number } {
    const refused = { count: 0 };
    const reply = replyOf(this.#case);
    if (reply === undefined) return refused;
    const limit = this.#case.times === 'once' ? 1 : Number.POSITIVE_INFINITY;
    const replies = {};
    const kind: RequestKind = requestOf(this.#case);
    const { records } = this.#stage.cluster;
    const get = () => {
      const requests = records.of(kind).length;
      if (requests > limit) return undefined;
      refused.count = requests;
      return reply;
    };
    Object.defineProperty(replies, kind, { get, enumerable: true });
    this.#stage.cluster.faults.replies = replies;
    return refused;
  }

  async #sshOf(job: Job) {
    const { cluster, relay, address } = this.#stage;
    const node = cluster.nodes.find(({ name }) => name === 'web-1');
    if (node === undefined) throw new Error('the cluster has no node web-1');
    node.port = this.#props.peer;
    const isSeparate = this.#case.front === 'separate';
    const routing = isSeparate ? ['--no-tls-routing'] : ['--tls-routing', ...upgradeFlags(this.#case, cluster)];
    return Promise.resolve({
      ...wishOf(job),
      args: [
        ...['ssh-proxy-command', '--user=ci', '--host=web-1', '--port=3022', `--cluster=${cluster.info.cluster}`],
        `--proxy-server=${isSeparate ? `localhost:${relay.port('ssh')}` : address}`,
        ...[`--destination-dir=${job.destination}`, ...routing],
      ],
      input: INPUT,
      limitMs: SSH_LIMIT_MS,
      asProcess: this.#case.process === 'yes',
    });
  }
}

/** Of the whole case: starting the tunnel, its use, and the time until it works again. */
const TUNNEL_LIMIT_MS = 240_000;
/** On a machine with other work. */
const READY_MS = 60_000;
/** The tunnel finds out within ten seconds that the Proxy answers again. */
const RECOVERY_MS = 60_000;
/** A sliced connection stays slow: 30 kB in pieces of one to three bytes take most of a minute beside many other cases. */
const SLICED_RECOVERY_MS = 120_000;
const RECOVERY_PAUSE_MS = 300;

/** The tunnel is ready before anything is spoiled, and must work again afterwards. */
class TunnelScene {
  readonly #case: Case;
  readonly #phase: TunnelPhase;
  readonly #stage: Stage;

  constructor(one: Case, phase: TunnelPhase, stage: Stage) {
    this.#case = one;
    this.#phase = phase;
    this.#stage = stage;
  }

  play(ends: OtherEnds): Promise<Observation> {
    const { cluster, relay } = this.#stage;
    return inJob(cluster, async (job) => {
      const armed = { is: false };
      const choose = chooserFor(this.#case);
      relay.begin((passage) => (armed.is ? choose(passage) : undefined));
      ends.begin();
      const stop = new AbortController();
      const ready = withResolver<string>();
      let log = '';
      const onStderr = (text: string) => {
        log += text;
        const [, address] = /: ready at (\S+) for /.exec(log) ?? [];
        if (address !== undefined) ready.resolve(address);
      };
      try {
        const running = runProgram({ ...this.#wish(job), onStderr, signal: stop.signal });
        const use = await this.#use(await within(READY_MS, Promise.race([ready.promise, running])), armed);
        stop.abort();
        const end = await running;
        await closing(relay);
        return {
          end,
          passages: passagesOf(relay),
          isReached: relay.passages.some(({ isSpoiled }) => isSpoiled),
          open: relay.open.length,
          before: new Map(),
          after: await filesIn(job.destination),
          names: [],
          elsewhere: await elsewhereIn(job),
          token: job.environment.CIRCLE_OIDC_TOKEN ?? '',
          delivery: undefined,
          use: [...use, ...(ends.hasOtherBytes ? ['the other end got other bytes than the client sent'] : [])],
        };
      } finally {
        stop.abort();
        relay.end();
      }
    });
  }

  /** @param address where it listens; anything else if it does not */
  async #use(address: unknown, armed: { is: boolean }): Promise<readonly string[]> {
    if (typeof address !== 'string') return ['without a fault, the tunnel does not become ready'];
    armed.is = true;
    const use = await useTunnel(this.#phase, address, patienceMs(this.#case.fault, this.#phase));
    armed.is = false;
    const recovered = await this.#recover(address);
    return [...brokenUse(this.#case.fault, this.#phase, use), ...(recovered ? [] : ['the tunnel does not work again'])];
  }

  async #recover(address: string): Promise<boolean> {
    const untilMs = performance.now() + (this.#case.fault === 'slicer' ? SLICED_RECOVERY_MS : RECOVERY_MS);
    while (performance.now() < untilMs) {
      if ((await useTunnel(this.#phase, address, PATIENT_MS)) === 'whole') return true;
      await delay(RECOVERY_PAUSE_MS);
    }
    return false;
  }

  #wish(job: Job) {
    const { address, cluster } = this.#stage;
    const config = join(job.checkout, 'tbot.yaml');
    const { joinToken } = cluster.info;
    writeFileSync(config, tunnelConfig(this.#phase, { address, joinToken }), { mode: 0o600 });
    return {
      ...wishOf(job),
      args: ['tunnel', '--foreground', '--config', config, '--ready-timeout', String(READY_MS / 1000)],
      input: Buffer.alloc(0),
      limitMs: TUNNEL_LIMIT_MS,
      asProcess: this.#case.process === 'yes',
    };
  }
}

function withResolver<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

function passagesOf(relay: Relay): readonly string[] {
  return relay.passages.map(
    ({ bytes, hello, port }) => `${port} ${hello.alpn.join('|').slice(0, 24)} up ${bytes.up} down ${bytes.down}`,
  );
}

function upgradeFlags(place: Place, { info }: Cluster): readonly string[] {
  return isBalancer(place) ? ['--connection-upgrade', `--ca-file=${info.webCa}`] : ['--no-connection-upgrade'];
}

interface RunWish {
  readonly phase: Case['phase'];
  readonly asProcess: boolean;
  /** Flags; without them, a busy machine is no reason to fail. */
  readonly limits: readonly string[];
}

function runOf(job: Job, { address, cluster }: Stage, { asProcess, limits, phase }: RunWish) {
  const { joinToken } = cluster.info;
  const config = join(job.checkout, 'tbot.yaml');
  writeFileSync(config, configText(outputOf(phase), { address, joinToken, path: job.destination }), {
    mode: 0o600,
  });
  return {
    ...wishOf(job),
    args: ['run', '-c', config, '--json', '--debug', ...limits],
    input: Buffer.alloc(0),
    limitMs: limits.length === 0 ? UNHURRIED_MS : RUN_LIMIT_MS,
    asProcess,
  };
}

function wishOf({ checkout, environment, folder }: Job) {
  return { workingDirectory: checkout, environment, folder };
}

async function inJob<T>(cluster: Cluster, work: (job: Job) => Promise<T>): Promise<T> {
  const ends: (() => Promise<void>)[] = [];
  const job = await beginJob({ after: (end) => ends.push(end) }, cluster);
  try {
    return await work(job);
  } finally {
    for (const end of ends) await end();
  }
}

function place(files: FileSet, folder: string): void {
  for (const [name, text] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, name), Buffer.from(text.slice(MODE_LENGTH), 'latin1'), { mode: 0o600 });
  }
}

/** `0600 ` before the contents, see `listing`. */
export const MODE_LENGTH = 5;

async function filesIn(folder: string): Promise<FileSet> {
  return new Map([...(await listing(folder))].filter(([, text]) => !/^\d{4} directory$/.test(text)));
}

async function elsewhereIn({ destination, folder }: Job): Promise<FileSet> {
  const isOwn = (name: string) => join(folder, name).startsWith(destination) || /^(?:bin|project)(?:\/|$)/.test(name);
  return new Map([...(await filesIn(folder))].filter(([name]) => !isOwn(name)));
}

/** The relay learns a little later that the client has closed a connection. */
async function closing(relay: Relay): Promise<void> {
  for (let tries = 0; tries < CLOSING_TRIES && relay.open.length > 0; tries += 1) await delay(CLOSING_PAUSE_MS);
}

const CLOSING_TRIES = 100;
const CLOSING_PAUSE_MS = 20;
