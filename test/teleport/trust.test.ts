import assert from 'node:assert/strict';
import test from 'node:test';
import { webTrust } from '../../src/teleport/trust.ts';
import { selfSigned } from '../tls-certificate.ts';

const { certificate } = await selfSigned('localhost');

function settings(change: {
  caFile?: string;
  environment?: Record<string, string>;
  insecure?: boolean;
  files?: Record<string, string>;
}) {
  const files = change.files ?? { 'flag.pem': certificate, 'variable.pem': `${certificate}\n` };
  return {
    caFile: change.caFile,
    environment: change.environment ?? {},
    insecure: change.insecure ?? false,
    readText: (path: string) => {
      const text = files[path];
      return text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(text);
    },
  };
}

test('Node’s own list is trusted when nothing else is asked for', async () => {
  assert.deepEqual(await webTrust(settings({})), { ca: undefined, verify: true });
  assert.deepEqual(await webTrust(settings({ environment: { SSL_CERT_FILE: '' } })), { ca: undefined, verify: true });
});

test('--ca-file wins over SSL_CERT_FILE, which replaces the list', async () => {
  const environment = { SSL_CERT_FILE: 'variable.pem' };
  assert.equal((await webTrust(settings({ environment }))).ca, `${certificate}\n`);
  assert.equal((await webTrust(settings({ environment, caFile: 'flag.pem' }))).ca, certificate);
});

test('insecure checks nothing', async () => {
  assert.equal((await webTrust(settings({ insecure: true }))).verify, false);
});

const BROKEN: [string, string][] = [
  ['that is missing', 'no.pem'],
  ['without a certificate', 'empty.pem'],
  ['with a broken certificate', 'broken.pem'],
];

for (const [name, caFile] of BROKEN) {
  test(`a CA file ${name} is wrong input`, async () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    const files = { 'empty.pem': 'text', 'broken.pem': broken };
    await assert.rejects(webTrust(settings({ caFile, files })), { code: 'CA_FILE_INVALID', exitCode: 2 });
  });
}
