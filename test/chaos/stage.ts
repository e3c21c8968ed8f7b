/** The clusters that cases run against: one for each front and version, behind a relay, for one case at a time. */
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import type { Place } from './plan.ts';
import { PORTS, type PortName, Relay } from './relay.ts';

export interface Stage {
  readonly cluster: Cluster;
  readonly relay: Relay;
  /** Where clients reach the web port: the relay. */
  readonly address: string;
}

export class Stages {
  readonly #directory: string;
  readonly #started = new Map<string, Stage>();
  readonly #queues = new Map<string, Promise<unknown>>();
  #starting: Promise<unknown> = Promise.resolve();

  /** @param directory keeps the authorities, which all clusters share */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Waits until nothing else happens there. */
  with<T>(place: Place, work: (stage: Stage) => Promise<T>): Promise<T> {
    const name = nameOf(place);
    const next = (this.#queues.get(name) ?? Promise.resolve()).then(async () => work(await this.#stage(place)));
    this.#queues.set(
      name,
      next.catch(() => undefined),
    );
    return next;
  }

  /** One after the other: the first creates the authorities. */
  #stage(place: Place): Promise<Stage> {
    const next = this.#starting.then(async () => {
      const name = nameOf(place);
      const stage = this.#started.get(name) ?? (await this.#start(place));
      this.#started.set(name, stage);
      return stage;
    });
    this.#starting = next.catch(() => undefined);
    return next;
  }

  async close(): Promise<void> {
    for (const { cluster, relay } of this.#started.values()) {
      relay.close();
      await cluster.close();
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

function nameOf({ front, version }: Place): string {
  return `${front} ${version}`;
}
