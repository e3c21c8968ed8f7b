/**
 * The Proxy's reverse tunnel, as clients with an identity file use it: SSH, authenticated with a user certificate, with
 * channels to Auth (Teleport's `lib/reversetunnel/srv.go`).
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { ClientHello } from './client-hello.ts';
import { sshKeys } from '../data/authorities.ts';
import { createKey } from '../crypto/keys.ts';
import { observe } from '../records.ts';
import { signSshCertificate, type SshCertificate } from '../crypto/ssh-certificate.ts';
import type { SshChannel } from './ssh-channel.ts';
import type { HostKey } from './ssh-key-exchange.ts';
import { serveSsh, type SshService } from './ssh-server.ts';
import { ownAuthority, type World } from '../world.ts';

export const TUNNEL_PROTOCOL = 'teleport-reversetunnel';

const SSH_PREFIX = 'SSH-';
const IDENTIFICATION = 'SSH-2.0-Teleport';
const TRANSPORT_CHANNEL = 'teleport-transport';
const DIAL_REQUEST = 'teleport-transport-dial';
const DAY_MS = 24 * 60 * 60 * 1000;
const CLOCK_SKEW_MS = 60_000;

const DialRequest = z.object({ address: z.string().default('') });

export class ReverseTunnel {
  readonly #world: World;
  readonly #authPort: number;
  readonly #hostKeys: readonly HostKey[];

  private constructor(world: World, authPort: number, hostKeys: readonly HostKey[]) {
    this.#world = world;
    this.#authPort = authPort;
    this.#hostKeys = hostKeys;
  }

  static async create(world: World, authPort: number): Promise<ReverseTunnel> {
    return new ReverseTunnel(world, authPort, await createHostKeys(world));
  }

  /** Serves a connection; inside TLS it is the inner stream. Resolves when the client has disconnected. */
  async serve(stream: Duplex, hello: ClientHello): Promise<void> {
    const fields: Record<string, unknown> = {};
    const record = this.#world.records.add({ listener: 'proxy', kind: 'reverse-tunnel', ...hello, fields });
    await observe(record, () => serveSsh(stream, this.#service(fields)));
  }

  #service(fields: Record<string, unknown>): SshService {
    const dialled = new WeakSet<SshChannel>();
    return {
      identification: IDENTIFICATION,
      hostKeys: this.#hostKeys,
      admit: (user, certificate) => {
        Object.assign(fields, { login: user, user: certificate.keyId });
        try {
          admit(this.#world, user, certificate);
        } catch (error) {
          fields.refused = error; // only the record shows the reason, as only Teleport's log does
          throw error;
        }
      },
      refuseChannel: (type) => {
        switch (type) {
          case TRANSPORT_CHANNEL:
            return undefined;
          case 'session':
            return 'Cannot open new SSH session on reverse tunnel. Are you connecting to the right port?';
          default:
            return `reversetunnel received unknown channel request ${type}`;
        }
      },
      request: async (channel, type, payload, wantsReply) => {
        if (type !== DIAL_REQUEST || dialled.has(channel)) {
          await (wantsReply ? channel.reply(false) : undefined);
          return;
        }
        dialled.add(channel);
        fields.address = dialledAddress(payload);
        await this.#dialAuth(channel, wantsReply);
      },
    };
  }

  /** Any address leads to Auth, because nothing else is behind the tunnel. */
  async #dialAuth(channel: SshChannel, wantsReply: boolean): Promise<void> {
    const auth = connect({ port: this.#authPort, host: '127.0.0.1', noDelay: true });
    try {
      await once(auth, 'connect');
    } catch {
      await channel.writeError('failed to dial auth server');
      await channel.reply(false);
      channel.destroy();
      return;
    }
    await (wantsReply ? channel.reply(true) : undefined);
    auth.on('error', () => channel.destroy());
    auth.on('close', () => channel.destroy());
    channel.on('close', () => auth.destroy());
    channel.pipe(auth).pipe(channel);
  }
}

/** Whether a connection begins with an SSH identification; the bytes read are put back. */
export function startsWithSsh(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => {
      reject(new Error('the connection closed before its first byte'));
    };
    socket.once('close', onClose).once('data', (chunk: Buffer) => {
      socket.off('close', onClose).pause();
      socket.unshift(chunk);
      resolve(chunk.toString('latin1', 0, SSH_PREFIX.length) === SSH_PREFIX);
    });
  });
}

/** JSON, or only the address as earlier clients send it. */
function dialledAddress(payload: Buffer): string {
  const text = payload.toString('utf8');
  try {
    return DialRequest.parse(JSON.parse(text)).address;
  } catch {
    return text;
  }
}

/** @throws Error in the order and with the texts of Teleport, which logs them and does not tell the client */
function admit(world: World, user: string, certificate: SshCertificate): void {
  if (certificate.kind !== 'user') {
    throw new Error('agents with a host certificate are not modelled');
  }
  const routeToCluster = certificate.extensions.get('teleport-route-to-cluster') ?? '';
  if (routeToCluster !== '' && routeToCluster !== world.clusterName) {
    const route = `cannot route from ${JSON.stringify(world.clusterName)} to ${JSON.stringify(routeToCluster)}`;
    throw new Error(`this endpoint does not support cross-cluster routing (${route})`);
  }
  if (rolesOf(certificate).length === 0) {
    throw new Error('certificate missing roles in "teleport-roles" extension');
  }
  if (!sshKeys(ownAuthority(world, 'user')).some((key) => key.equals(certificate.authority))) {
    throw new Error(`cluster ${world.clusterName} has no matching CA keys`);
  }
  checkCertificate(user, certificate);
}

/** Like `CheckCert` of golang.org/x/crypto/ssh. */
function checkCertificate(user: string, { criticalOptions, notAfter, notBefore, principals }: SshCertificate): void {
  const [option] = criticalOptions.keys();
  if (option !== undefined) {
    throw new Error(`ssh: unsupported critical option "${option}" in certificate`);
  }
  if (principals.length > 0 && !principals.includes(user)) {
    throw new Error(`ssh: principal "${user}" not in the set of valid principals for given certificate`);
  }
  const now = Date.now();
  if (now < notBefore.getTime()) {
    throw new Error('ssh: cert is not yet valid');
  }
  if (now >= notAfter.getTime()) {
    throw new Error('ssh: cert has expired');
  }
}

const RolesExtension = z.object({ roles: z.array(z.string()) });

function rolesOf({ extensions }: SshCertificate): readonly string[] {
  const text = extensions.get('teleport-roles') ?? '';
  return text === '' ? [] : RolesExtension.parse(JSON.parse(text)).roles;
}

/** The host's certificate for every name of the Proxy, followed by the plain key. */
async function createHostKeys(world: World): Promise<readonly HostKey[]> {
  const privateKey = await createKey(world.profile.suite === 'legacy' ? 'rsa' : 'ec');
  const { sshKey } = ownAuthority(world, 'host').servers;
  if (sshKey === undefined) {
    throw new Error('the host authority has no SSH key');
  }
  const hostId = randomUUID();
  const names = [hostId, `${hostId}.${world.clusterName}`, 'proxy', `proxy.${world.clusterName}`];
  const certificate = signSshCertificate(
    {
      kind: 'host',
      publicKey: privateKey,
      keyId: `${hostId}.${world.clusterName}`,
      principals: [...names, 'localhost', '127.0.0.1', '::1'],
      notBefore: new Date(Date.now() - CLOCK_SKEW_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      extensions: { 'x-teleport-role': 'Proxy', 'x-teleport-authority': world.clusterName },
    },
    sshKey,
  );
  const signatures =
    privateKey.asymmetricKeyType === 'rsa'
      ? (['rsa-sha2-512', 'rsa-sha2-256'] as const)
      : (['ecdsa-sha2-nistp256'] as const);
  return signatures.map((signature) => ({
    algorithm: `${signature}-cert-v01@openssh.com`,
    signature,
    wire: certificate,
    privateKey,
  }));
}
