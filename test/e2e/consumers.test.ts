import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { VERSIONS } from './profiles.ts';
import { missing, runProgram } from '../programs.ts';
import { resultOf } from './run-result.ts';

const skip = missing('ssh-keygen', 'openssl');
const authorities = await directoryFor({ after });

async function output(program: string, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(program, args);
  assert.equal(exitCode, 0, `${program} ${args.join(' ')}\n${stderr}`);
  return stdout;
}

/** The indented lines below a heading of `ssh-keygen -L`. */
function below(listing: string, heading: string): readonly string[] {
  const [, block = ''] = new RegExp(`^ {8}${heading}:.*\\n((?: {16}.*\\n)*)`, 'm').exec(listing) ?? [];
  return block.split('\n').flatMap((line) => (line === '' ? [] : [line.trim()]));
}

for (const { teleport, keyType } of VERSIONS) {
  test(`Teleport ${teleport}: other programs read what a run writes`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const job = await beginJob(t, cluster);
    resultOf(await job.run([...job.flags, '--json']));
    const file = (name: string) => join(job.destination, name);

    await t.test('ssh-keygen reads the certificate and finds the user, the logins and the roles', async () => {
      const listing = await output('ssh-keygen', '-L', '-f', file('key-cert.pub'));
      assert.match(listing, new RegExp(`Type: \\S+ user certificate\\n *Public key: ${keyType}-CERT `));
      assert.match(listing, /Key ID: "bot-ci"/);
      assert.deepEqual(below(listing, 'Principals'), ['root', 'ci', 'deploy', '-teleport-internal-join']);
      assert.match(listing, /Critical Options: \(none\)/);
      const extensions = below(listing, 'Extensions');
      for (const name of ['permit-pty', 'permit-port-forwarding', 'teleport-roles', 'disallow-reissue']) {
        assert.ok(
          extensions.some((line) => line.startsWith(name)),
          name,
        );
      }
      assert.equal(/Signing CA: (\w+)/.exec(listing)?.[1], keyType === 'RSA' ? 'RSA' : 'ED25519');
    });

    await t.test('ssh-keygen derives the public key on disk from the private key', async () => {
      const derived = await output('ssh-keygen', '-y', '-f', file('key'));
      assert.deepEqual(
        derived.trim().split(' ').slice(0, 2),
        (await readFile(file('key.pub'), 'utf8')).trim().split(' '),
      );
    });

    await t.test('openssl verifies the TLS certificate with the user authority, which issued it', async () => {
      const verified = await output(
        'openssl',
        'verify',
        '-purpose',
        'sslclient',
        '-CAfile',
        file('teleport-user-ca.crt'),
        file('tlscert'),
      );
      assert.match(verified, /: OK$/m);
      const byHost = await runProgram('openssl', ['verify', '-CAfile', file('teleport-host-ca.crt'), file('tlscert')]);
      assert.notEqual(byHost.exitCode, 0, 'the host authority vouches for servers, not for clients');
    });

    await t.test('openssl finds one key in the key file, the certificate and the SSH key', async () => {
      const [ofKey, ofCertificate] = await Promise.all([
        output('openssl', 'pkey', '-in', file('key'), '-pubout'),
        output('openssl', 'x509', '-in', file('tlscert'), '-noout', '-pubkey'),
      ]);
      assert.equal(ofCertificate, ofKey);
      const ofSsh = await output('ssh-keygen', '-e', '-m', 'PKCS8', '-f', file('key.pub'));
      assert.equal(ofSsh, ofKey);
    });

    await t.test(
      'openssl reaches the Auth Service through the Proxy, and host authority and identity are both accepted',
      async () => {
        const session = await output('openssl', ...sClient(job, cluster.info.proxy, cluster.info.cluster));
        assert.match(session, /Verify return code: 0 \(ok\)/);
        assert.match(session, /^ALPN protocol: h2$/m);
        const seen = cluster.records
          .of('connection')
          .filter(({ listener }) => listener === 'auth')
          .at(-1);
        assert.equal(seen?.outcome, 'ok');
        assert.equal(seen.fields.user, 'bot-ci');
      },
    );
  });
}

function sClient({ destination }: Job, proxy: string, cluster: string): readonly string[] {
  const label = Buffer.from(cluster).toString('hex');
  return [
    's_client',
    ...['-connect', proxy, '-servername', 'teleport.cluster.local'],
    ...['-alpn', `teleport-auth@${label}.teleport.cluster.local,h2`],
    ...['-CAfile', join(destination, 'teleport-host-ca.crt'), '-verify_return_error'],
    ...['-verify_hostname', 'teleport.cluster.local'],
    ...['-cert', join(destination, 'tlscert'), '-key', join(destination, 'key')],
  ];
}
