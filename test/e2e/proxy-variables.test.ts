import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import test, { type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { beginJob } from './job.ts';

const cluster = await clusterForFile();
const SECRETS = ['hunter2', 'somebody'];
const PROXY = 'http://somebody:hunter2@proxy.corp.example:3128';
const FIRST = /^ {2}1\. HTTPS_PROXY is set \(http:\/\/proxy\.corp\.example:3128\), but this version does not use it/m;

/** Accepts connections and sends nothing. */
async function silentPort(t: TestContext): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : assert.fail('no port');
}

test('for an unreachable Proxy, a configured HTTP proxy is the first likely cause', async (t) => {
  const job = await beginJob(t, cluster);
  const environment = { HTTPS_PROXY: PROXY };
  const silent = await silentPort(t);
  for (const address of ['example.invalid:443', `localhost:${await freePort()}`, `127.0.0.1:${silent}`]) {
    const where = ['--proxy-server', address, '--deadline', '2', '--timeout', '1'];
    const tools = ['install-tools', '--tools', 'tsh', '--dir', `${job.folder}/tools`, ...where];
    for (const args of [['run', '--token', 't', '--destination', job.destination, ...where], tools]) {
      const run = await job.run(args, { environment, secrets: SECRETS });
      assert.equal(run.exitCode, 1);
      assert.match(run.stderr, FIRST, run.stderr);
      const excepted = { environment: { ...environment, NO_PROXY: 'invalid,localhost,127.0.0.0/8' } };
      assert.doesNotMatch((await job.run(args, excepted)).stderr, /HTTPS_PROXY/);
    }
  }
});

test('doctor, its table of connections, the report and a download mention it too', async (t) => {
  const job = await beginJob(t, cluster);
  const where = ['--proxy-server', `localhost:${await freePort()}`, '--token', 't', '--destination', job.destination];
  const changes = { environment: { HTTPS_PROXY: PROXY }, secrets: SECRETS };
  const quick = ['--deadline', '1', '--timeout', '1'];
  const doctor = await job.run(['doctor', ...where, ...quick], changes);
  assert.match(doctor.stdout, /likely cause 1: HTTPS_PROXY is set \(http:\/\/proxy\.corp\.example:3128\)/);
  const egress = await job.run(['doctor', '--egress', ...where, ...quick], changes);
  assert.match(egress.stdout, /^Note: HTTP proxy: HTTPS_PROXY is set/m);
  assert.match(egress.stdout, /refuses the TCP connection \(ECONNREFUSED\)\. Likely cause: HTTPS_PROXY is set/);
  const json = await job.run(['run', ...where, ...quick, '--log-format', 'json'], changes);
  assert.match(json.stderr, /"likelyCauses":\["HTTPS_PROXY is set/);
  const mirror = ['--cdn-base-url', 'https://cdn.invalid', '--version', '18.6.0', '--edition', 'oss'];
  const tools = ['install-tools', '--tools', 'tsh', '--dir', `${job.folder}/tools`, ...mirror, ...quick];
  assert.match((await job.run(tools, changes)).stderr, FIRST);
});
