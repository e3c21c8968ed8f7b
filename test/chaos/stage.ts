/** The clusters that cases run against: some for each front and version, behind a relay each, for one case at a time. */
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import type { Place } from './plan.ts';
import { PORTS, type PortName, Relay } from './relay.ts';

export interface Stage {
  readonly cluster: Cluster;
  readonly relay: Relay;
  /** Where clients reach the web port: the relay. */
  readonly address: string;
}

/** Most of the time is spent waiting for deadlines. */
const STAGES_OF_PLACE = 2;

/** The cases of one cluster. */
interface Queue {
  /** Started for the first case. */
  stage?: Stage;
  waiting: number;
  last: Promise<unknown>;
}

const newQueue = (): Queue => ({ waiting: 0, last: Promise.resolve() });

export class Stages {
  readonly #directory: string;
  readonly #places = new Map<string, readonly Queue[]>();
  #starting: Promise<unknown> = Promise.resolve();

  /** @param directory keeps the authorities, which all clusters share */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Waits until nothing else happens there. */
  with<T>(place: Place, work: (stage: Stage) => Promise<T>): Promise<T> {
    const queue = this.#shortestAt(place);
    const next = queue.last.then(async () => work(await this.#stageOf(queue, place)));
    queue.waiting += 1;
    queue.last = next.catch(() => undefined).finally(() => (queue.waiting -= 1));
    return next;
  }

  #shortestAt(place: Place): Queue {
    const name = `${place.front} ${place.version}`;
    const queues = this.#places.get(name) ?? Array.from({ length: STAGES_OF_PLACE }, newQueue);
    this.#places.set(name, queues);
    return queues.reduce((best, one) => (one.waiting < best.waiting ? one : best));
  }

  /** One after the other: the first creates the authorities. */
  #stageOf(queue: Queue, place: Place): Promise<Stage> {
    const next = this.#starting.then(async () => (queue.stage ??= await this.#start(place)));
    this.#starting = next.catch(() => undefined);
    return next;
  }

  async close(): Promise<void> {
    for (const { stage } of [...this.#places.values()].flat()) {
      stage?.relay.close();
      await stage?.cluster.close();
    }
  }

  async #start({ front, version }: Place): Promise<Stage> {
    const targets = { web: 0, ssh: 0, kube: 0, tunnel: 0 };
    const relay = await Relay.start({ targets: () => targets });
    const at = (name: PortName) => `localhost:${relay.port(name)}`;
    const cluster = await startCluster({
      dir: this.#directory,
      teleport: version,
      front,
      publicAddress: at('web'),
      publicAddresses: { ssh: at('ssh'), kube: at('kube'), tunnel: at('tunnel') },
    });
    const { kube, proxy, ssh, tunnel } = cluster.info;
    const own = { web: proxy, ssh, kube, tunnel };
    for (const name of PORTS) targets[name] = Number(own[name].split(':').at(-1));
    return { cluster, relay, address: at('web') };
  }
}
