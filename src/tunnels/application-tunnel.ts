/** The tunnel type `application-tunnel`: programs reach one application without presenting a certificate. */
import { privateKeyPem } from '../crypto/keys.ts';
import { findApplication, sessionFor } from '../outputs/application.ts';
import { settingPlace } from '../outputs/find-resource.ts';
import { requestIdentity, withOwnSession } from '../outputs/work.ts';
import { requiredText } from '../schema/fields.ts';
import { documentation, key, keys, type ValuesOf } from '../schema/keys.ts';
import { type BotSession, hostAuthoritiesOf } from './bot.ts';
import { type IssuedTarget, openByteTunnel } from './byte-tunnel.ts';
import { httpWire } from './http-wire.ts';
import { listenField, writeListenAddress } from './listen-address.ts';
import { quietWire } from './wire.ts';
import { type TunnelOf, tunnelType } from './tunnel-type.ts';
import type { ClientCertificate } from './upstream.ts';
import type { TunnelWork } from './work.ts';

const applicationKeys = keys({
  listen: key('listen', listenField, documentation('Where to listen: `tcp://host:port` or `unix:///path`.'), {
    write: writeListenAddress,
  }),
  appName: key(
    'app_name',
    requiredText('app_name: should not be empty'),
    documentation('Name of the application in Teleport.'),
  ),
});

type ApplicationTunnel = TunnelOf<'application-tunnel', ValuesOf<typeof applicationKeys>>;

export const applicationTunnel = tunnelType('application-tunnel', {
  help: documentation('One application, by HTTP or plain TCP.'),
  keys: applicationKeys,
  resource: ({ appName }) => appName,
  open: (tunnel, work) =>
    openByteTunnel(tunnel.listen, work, () => work.bot.withSession((session) => issue(tunnel, session, work))),
});

async function issue(tunnel: ApplicationTunnel, session: BotSession, { clock }: TunnelWork): Promise<IssuedTarget> {
  const { appName, path } = tunnel;
  const application = await issueForApplication(
    tunnel,
    { name: appName, location: settingPlace(path, 'app_name') },
    session,
  );
  const { certificate, isTcp, name, publicAddress } = application;
  return {
    certificate,
    route: { alpn: isTcp ? 'teleport-tcp' : 'http/1.1' },
    wire: isTcp ? quietWire(clock) : httpWire(publicAddress),
    target: `application ${name} at ${publicAddress}`,
    clientVariables: () => new Map(),
  };
}

export interface IssuedApplication {
  readonly name: string;
  readonly publicAddress: string;
  /** Whether it speaks another protocol than HTTP. */
  readonly isTcp: boolean;
  readonly certificate: ClientCertificate;
}

interface WantedApplication {
  readonly name: string;
  /** As in `services[0].app_name`. */
  readonly location: string;
}

/**
 * A certificate that leads to one application. Servers before 17 are asked for a session first.
 * @throws MachineIdError RESOURCE_UNKNOWN, and as the calls do
 */
export async function issueForApplication(
  lifetime: { readonly roles: readonly string[]; readonly ttlMs: number },
  { location, name: wanted }: WantedApplication,
  session: BotSession,
): Promise<IssuedApplication> {
  const { clusterName, userName } = session.joined.bot;
  const routedKey = session.newKey('suite');
  routedKey.catch(() => undefined); // awaited once the application is found
  const found = await withOwnSession(lifetime, session, async ({ api }) => {
    const application = await findApplication(api, wanted, location);
    const target = { userName, publicAddress: application.publicAddress, clusterName };
    return { ...application, sessionId: await sessionFor(api, target, await session.session.serverVersion) };
  });
  const { name, publicAddress, sessionId, uri } = found;
  const route = { kind: 'application', name, publicAddress, clusterName, sessionId } as const;
  const { identity } = await requestIdentity(lifetime, session, { keyPair: await routedKey, route });
  return {
    name,
    publicAddress,
    isTcp: uri.startsWith('tcp://'),
    certificate: {
      certificatePem: identity.tlsCertificatePem,
      privateKeyPem: privateKeyPem(identity.keyPair),
      hostAuthoritiesPem: await hostAuthoritiesOf(session),
      expiresAtMs: identity.expiresAtMs,
    },
  };
}
