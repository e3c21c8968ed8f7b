import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { directory, runItems } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { startNginx } from './nginx.ts';
import { missing, runProgram } from '../programs.ts';
import { resultOf } from './run-result.ts';

const newest = await clusterForFile();
const HOST = 'deploy.example.com';

test('nginx and curl connect with SVIDs on both sides', { skip: missing('curl', 'nginx') }, async (t) => {
  const job = await beginJob(t, newest);
  const output = (name: string) =>
    `type: workload-identity-x509, selector: { name: ci-svid }, ${directory(join(job.folder, name))}`;
  const identity = `type: identity, ${directory(job.destination)}`;
  resultOf(await runItems(newest, job, [output('server'), output('client'), identity]));
  const at = (folder: string, name: string) => join(job.folder, folder, name);
  const port = await startNginx(t, {
    certificate: at('server', 'svid.pem'),
    key: at('server', 'svid_key.pem'),
    clientAuthorities: at('server', 'svid_bundle.pem'),
  });
  const curl = (certificate: string, key: string) =>
    runProgram('curl', [
      ...['--silent', '--show-error', '--write-out', '%{http_code}', '--cacert', at('client', 'svid_bundle.pem')],
      ...['--cert', certificate, '--key', key, '--resolve', `${HOST}:${String(port)}:127.0.0.1`],
      `https://${HOST}:${String(port)}/`,
    ]);

  const met = await curl(at('client', 'svid.pem'), at('client', 'svid_key.pem'));
  assert.match(met.stdout, /^SUCCESS [^]*\n200$/, met.stderr);
  const bot = await curl(join(job.destination, 'tlscert'), join(job.destination, 'key'));
  assert.match(bot.stdout, /400 The SSL certificate error[^]*400$/, bot.stderr);
});
