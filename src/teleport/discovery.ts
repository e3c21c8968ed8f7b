/** Asks a Proxy what cluster it serves. */
import { seconds, utcTime } from '../crypto/validity.ts';
import { isPassingHttpStatus, type Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import { formatAddress } from './address.ts';
import { type ClusterFacts, parsePing } from './ping.ts';
import { errorText } from './trace-error.ts';
import type { WebApi } from './web.ts';

/**
 * Asks again as the policy says.
 * @throws MachineIdError PROXY_NOT_TELEPORT, PROXY_UNREACHABLE, or what the web API throws
 */
export async function discover(web: WebApi, retries: Retries): Promise<ClusterFacts> {
  return (await retries.run(() => ask(web))).cluster;
}

export interface Asked {
  readonly cluster: ClusterFacts;
  /** When the answer was sent, by the Proxy's clock; NaN when it does not say. */
  readonly sentMs: number;
}

/** Asks once. @throws MachineIdError as `discover` does */
export async function ask(web: WebApi): Promise<Asked> {
  const { status, body, sentMs = NaN, retryAfterMs } = await web.get('/webapi/ping');
  if (status === 200) {
    const cluster = parsePing(body, web.address);
    return { cluster: Number.isNaN(sentMs) ? cluster : { ...cluster, sentMs }, sentMs };
  }
  const said = errorText(body);
  const message = `${formatAddress(web.address)}/webapi/ping answered ${status}${said === undefined ? '' : `: ${said}`}`;
  if (isPassingHttpStatus(status, 'Teleport')) {
    throw new MachineIdError('PROXY_UNREACHABLE', message, {
      hint: 'The Proxy is overloaded or being restarted, or limits requests from this address: run the job again.',
      passing: { afterMs: retryAfterMs },
    });
  }
  throw new MachineIdError('PROXY_NOT_TELEPORT', message, {
    hint: 'Give the host and port of the web address of the Teleport Proxy, as in the URL of its web UI, without a path.',
  });
}

/** The header counts whole seconds, and travels. */
const UNREMARKABLE_MS = 30_000;

/**
 * A sentence when the clocks of this machine and the Proxy differ by more than the way of an answer explains.
 * @param nowMs when the answer arrived, by this machine's clock
 */
export function clockDifference({ sentMs }: Pick<ClusterFacts, 'sentMs'>, nowMs: number): string | undefined {
  if (sentMs === undefined || Math.abs(nowMs - sentMs) <= UNREMARKABLE_MS) return undefined;
  const direction = nowMs > sentMs ? 'ahead of' : 'behind';
  return `this machine's clock is ${seconds(Math.abs(nowMs - sentMs))} ${direction} the Proxy's (${utcTime(nowMs)}, ${utcTime(sentMs)}): set it by NTP`;
}
