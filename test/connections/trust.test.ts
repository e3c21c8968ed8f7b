import assert from 'node:assert/strict';
import { KeyObject, randomUUID, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { delimiter, join } from 'node:path';
import test, { describe, type TestContext } from 'node:test';
import { rootCertificates } from 'node:tls';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { proxyFailure } from '../../src/net/failures.ts';
import { webTrust } from '../../src/net/trust.ts';
import { openWebApi } from '../../src/net/web.ts';
import { network } from '../direct-network.ts';
import { testRetries } from '../effects/retries.ts';
import { selfSigned } from '../tls-certificate.ts';

async function authority(name: string): Promise<string> {
  return `${(await selfSigned(name)).certificate.trim()}\n`;
}

const certificate = await authority('localhost');
const other = await authority('other');
const third = await authority('third');

function settings(change: {
  caFile?: string;
  environment?: Record<string, string>;
  insecure?: boolean;
  files?: Record<string, string>;
  directories?: Record<string, readonly string[]>;
  nodeVersion?: string;
}) {
  const files = change.files ?? { 'flag.pem': certificate, 'variable.pem': certificate };
  const readText = (path: string) => {
    const text = files[path];
    return text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(text);
  };
  return {
    caFile: change.caFile,
    environment: change.environment ?? {},
    insecure: change.insecure ?? false,
    nodeVersion: change.nodeVersion ?? 'v22.11.0',
    readText,
    files: {
      readText,
      names: (directory: string) => {
        const names = change.directories?.[directory];
        return names === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(names);
      },
    },
  };
}

test('Node’s own list is trusted by default', async () => {
  assert.deepEqual(await webTrust(settings({})), { ca: undefined, verify: true });
  assert.deepEqual(await webTrust(settings({ environment: { SSL_CERT_FILE: '' } })), { ca: undefined, verify: true });
});

test('--ca-file takes precedence over SSL_CERT_FILE, which replaces the list', async () => {
  const environment = { SSL_CERT_FILE: 'variable.pem' };
  assert.equal((await webTrust(settings({ environment }))).ca, certificate);
  assert.equal((await webTrust(settings({ environment, caFile: 'flag.pem' }))).ca, certificate);
});

test('insecure disables verification', async () => {
  assert.equal((await webTrust(settings({ insecure: true }))).verify, false);
});

const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['that is missing', 'no.pem', /^cannot read the CA file no\.pem \(--ca-file\): ENOENT$/],
  ['without a certificate', 'empty.pem', /contains no PEM certificate$/],
  ['with a broken certificate', 'broken.pem', /contains an invalid certificate: the 1st one, at line 2$/],
  ['whose second certificate is broken', 'second.pem', /the 2nd one, at line \d+$/],
  ['whose last certificate is cut off', 'cut.pem', /the 3rd one, at line \d+$/],
];
const FILES = {
  'empty.pem': 'text',
  'broken.pem': `# a comment\n${BROKEN}`,
  'second.pem': `${certificate}${BROKEN}${certificate}`,
  'cut.pem': `${certificate}${certificate}${certificate.slice(0, 200)}`,
};

for (const [name, caFile, message] of REFUSED) {
  test(`a CA file ${name} is wrong input`, async () => {
    const rejection = webTrust(settings({ caFile, files: FILES }));
    await assert.rejects(rejection, { code: 'CA_FILE_INVALID', exitCode: 2, message });
  });
}

test('a broken certificate is reported with the line where it begins', async () => {
  const lines = certificate.split('\n').length - 1;
  await assert.rejects(webTrust(settings({ caFile: 'second.pem', files: FILES })), {
    message: new RegExp(`at line ${String(lines + 1)}$`),
  });
});

describe('SSL_CERT_DIR', () => {
  const files = {
    [join('a', '0.pem')]: other,
    [join('a', '1.pem')]: `${BROKEN}${third}`,
    [join('a', 'README')]: 'text',
    [join('b', '0.pem')]: other,
    'variable.pem': certificate,
    'extra.pem': third,
  };
  const directories = { a: ['1.pem', 'README', 'gone.pem', '0.pem'], b: ['0.pem'], empty: [] };
  const trustOf = (environment: Record<string, string>, caFile?: string) =>
    webTrust(settings({ environment, files, directories, ...(caFile === undefined ? {} : { caFile }) }));
  const SSL_CERT_DIR = ['missing', 'a', '', 'b'].join(delimiter);

  test('adds to SSL_CERT_FILE, each certificate once, without unusable ones', async () => {
    const { ca } = await trustOf({ SSL_CERT_DIR, SSL_CERT_FILE: 'variable.pem' });
    assert.equal(ca, certificate + other + third);
  });

  test('adds to the built-in list and NODE_EXTRA_CA_CERTS without SSL_CERT_FILE', async () => {
    const { ca = '' } = await trustOf({ SSL_CERT_DIR: 'b', NODE_EXTRA_CA_CERTS: 'extra.pem' });
    assert.ok(ca.endsWith(`${third}${other}`));
    assert.equal(ca.split('BEGIN CERTIFICATE').length - 1, rootCertificates.length + 2);
  });

  test('is added to the built-in list, which is given if this process runs without it', async () => {
    const without = await webTrust({ ...settings({ environment: {}, files, directories }), isListMissing: true });
    assert.equal(without.ca, rootCertificates.map((pem) => `${pem}\n`).join(''));
    assert.equal(without.elsewhere?.().length, rootCertificates.length);
  });

  test('comes together with SSL_CERT_FILE and NODE_EXTRA_CA_CERTS', async () => {
    const { ca } = await trustOf({
      SSL_CERT_DIR: 'b',
      SSL_CERT_FILE: 'variable.pem',
      NODE_EXTRA_CA_CERTS: 'extra.pem',
    });
    assert.equal(ca, certificate + third + other);
  });

  test('with no usable directory does not change the built-in list', async () => {
    assert.deepEqual(await trustOf({ SSL_CERT_DIR: ['missing', 'empty'].join(delimiter) }), {
      ca: undefined,
      verify: true,
    });
  });

  test('is not read with --ca-file', async () => {
    assert.equal((await trustOf({ SSL_CERT_DIR }, 'variable.pem')).ca, certificate);
  });

  test('is trusted with --ca-file for other servers than the cluster, such as an https:// proxy', async () => {
    const environment = { SSL_CERT_DIR: 'b', SSL_CERT_FILE: 'missing.pem', NODE_EXTRA_CA_CERTS: 'extra.pem' };
    const elsewhere = (await trustOf(environment, 'variable.pem')).elsewhere?.();
    assert.deepEqual(elsewhere?.slice(rootCertificates.length), [certificate, third, other]);
  });

  test('is read up to a limit of files', async () => {
    const names = Array.from({ length: 3000 }, (_, at) => `${String(at).padStart(5, '0')}.pem`);
    let read = 0;
    const readText = () => {
      read += 1;
      return Promise.resolve(other);
    };
    const many = {
      ...settings({ environment: { SSL_CERT_DIR: 'a' } }),
      files: { readText, names: () => Promise.resolve(names) },
    };
    await webTrust(many);
    assert.equal(read, 2000);
  });
});

test('an intermediate authority without its root is trusted directly', async (t) => {
  const { chain, intermediate, key, root } = await privateChain('localhost');
  const port = await serve(t, chain, key);
  const files = { 'root.pem': root, 'intermediate.pem': intermediate };
  for (const caFile of ['root.pem', 'intermediate.pem']) {
    const trust = await webTrust(settings({ caFile, files }));
    const web = openWebApi({
      network,
      address: { host: 'localhost', port },
      trust,
      retries: testRetries({ timeoutMs: 5000 }),
    });
    t.after(() => {
      web.close();
    });
    assert.equal((await web.get('/')).status, 200, caFile);
  }
});

async function serve(t: TestContext, cert: string, key: string): Promise<number> {
  const server = createServer({ cert, key }, (_, response) => response.end('{}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

test('on an older Node, a missing root is reported as required', async () => {
  const { intermediate, root } = await privateChain('localhost');
  const files = { 'root.pem': root, 'intermediate.pem': intermediate };
  for (const [nodeVersion, caFile, weak] of [
    ['v18.20.8', 'intermediate.pem', true],
    ['v20.17.0', 'intermediate.pem', true],
    ['v20.18.0', 'intermediate.pem', false],
    ['v22.8.0', 'intermediate.pem', true],
    ['v22.9.0', 'intermediate.pem', false],
    ['v24.0.0', 'intermediate.pem', false],
    ['v18.20.8', 'root.pem', false],
  ] as const) {
    const { weakness } = await webTrust(settings({ caFile, files, nodeVersion }));
    assert.equal(weakness !== undefined, weak, `${nodeVersion} ${caFile}`);
    if (weakness !== undefined) assert.ok(weakness.includes(nodeVersion));
    const failure = Object.assign(new Error('unable to get issuer certificate'), { code: 'UNABLE_TO_GET_ISSUER_CERT' });
    const { likelyCauses } = proxyFailure({ host: 'a', port: 1 }, failure, { weakness });
    assert.equal((likelyCauses[0] ?? '').includes('add the root'), weak);
  }
});

interface WebChain {
  /** PEM of the server's certificate and the intermediate authority's. */
  readonly chain: string;
  readonly key: string;
  readonly intermediate: string;
  readonly root: string;
}

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A server's certificate for one DNS name, signed by an intermediate authority that a root has signed. */
async function privateChain(dnsName: string): Promise<WebChain> {
  const [rootKeys, middleKeys, serverKeys] = await Promise.all(
    [1, 2, 3].map(() => webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])),
  );
  if (rootKeys === undefined || middleKeys === undefined || serverKeys === undefined) throw new Error('no keys');
  const names = { root: `CN=root ${randomUUID()}`, middle: `CN=intermediate ${randomUUID()}`, server: `CN=${dnsName}` };
  const sign = (subject: string, issuer: string, keys: webcrypto.CryptoKeyPair, signer: webcrypto.CryptoKeyPair) =>
    x509.X509CertificateGenerator.create({
      subject,
      issuer,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      signingAlgorithm: ECDSA,
      publicKey: keys.publicKey,
      signingKey: signer.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(subject !== names.server),
        ...(subject === names.server
          ? [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }])]
          : []),
      ],
    });
  const [root, middle, server] = await Promise.all([
    sign(names.root, names.root, rootKeys, rootKeys),
    sign(names.middle, names.root, middleKeys, rootKeys),
    sign(names.server, names.middle, serverKeys, middleKeys),
  ]);
  const [rootPem, middlePem, serverPem] = [root, middle, server].map((one) => `${one.toString('pem').trim()}\n`);
  const key = KeyObject.from(serverKeys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return {
    chain: `${serverPem ?? ''}${middlePem ?? ''}`,
    key: String(key),
    intermediate: middlePem ?? '',
    root: rootPem ?? '',
  };
}
