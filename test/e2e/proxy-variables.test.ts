import assert from 'node:assert/strict';
import test from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { beginJob } from './job.ts';

const cluster = await clusterForFile();
const SECRETS = ['hunter2', 'somebody'];
const QUICK = ['--deadline', '2', '--timeout', '1'];

test('a proxy that cannot be reached fails every command, which names its variable', async (t) => {
  const job = await beginJob(t, cluster);
  const where = ['--proxy-server', 'teleport.example.com:443', ...QUICK];
  const proxy = `127.0.0.1:${await freePort()}`;
  const changes = { environment: { HTTPS_PROXY: `http://somebody:hunter2@${proxy}` }, secrets: SECRETS };
  const says = `cannot connect to the HTTP proxy http://${proxy} (HTTPS_PROXY): ${proxy}: the connection was refused`;
  const tools = ['install-tools', '--tools', 'tsh', '--dir', `${job.folder}/tools`];
  const mirror = ['--cdn-base-url', 'https://cdn.example.com', '--version', '18.6.0', '--edition', 'oss', ...QUICK];
  const run = ['run', '--token', 't', '--destination', job.destination, ...where];
  for (const args of [run, [...run, '--engine', 'tbot'], [...tools, ...where], [...tools, ...mirror]]) {
    await job.addProgram('tbot', 'echo "Teleport v18.6.0 git: go1.24"');
    const { exitCode, stderr } = await job.run(args, changes);
    assert.equal(exitCode, 1);
    assert.ok(stderr.includes(`error: ${says}`), stderr);
    assert.match(stderr, /^hint: Check the host and port in HTTPS_PROXY.*\ncode: EGRESS_PROXY_FAILED$/m);
    assert.match(stderr, /gave up after/);
  }
  const settings = ['--token', 't', '--destination', job.destination, ...where];
  const doctor = await job.run(['doctor', ...settings], changes);
  assert.ok(doctor.stdout.includes(says), doctor.stdout);
  assert.match(
    doctor.stdout,
    /^skip {2}Proxy host name +the HTTP proxy http:\/\/127\.0\.0\.1:\d+ \(HTTPS_PROXY\) resolves it/m,
  );
  assert.match(
    doctor.stdout,
    /^pass {2}HTTP proxy +connections to teleport\.example\.com go through the HTTP proxy .*, with user and/m,
  );
  const egress = await job.run(['doctor', '--egress', ...settings], changes);
  assert.match(egress.stdout, /^Note: HTTP proxy: connections to teleport\.example\.com go through the HTTP proxy/m);
  assert.ok(egress.stdout.includes(` ${says.replace('cannot', 'Cannot')}`), egress.stdout);
  assert.match(egress.stdout, /^ {3}Route: through the HTTP proxy http:\/\/127\.0\.0\.1:\d+ \(HTTPS_PROXY\)$/m);
});

test('for an unreachable Proxy, the entry of NO_PROXY that keeps the proxy from use is the first likely cause', async (t) => {
  const job = await beginJob(t, cluster);
  const changes = {
    environment: { https_proxy: 'http://somebody:hunter2@proxy.invalid:3128', NO_PROXY: 'a, .INVALID' },
    secrets: SECRETS,
  };
  const cause = 'https_proxy is set, but is not used for example.invalid:443, because NO_PROXY contains ".invalid"';
  const settings = [
    '--proxy-server',
    'example.invalid:443',
    '--token',
    't',
    '--destination',
    job.destination,
    ...QUICK,
  ];
  const { stderr } = await job.run(['run', ...settings], changes);
  assert.ok(stderr.includes(`\n  1. ${cause}\n`), stderr);
  const json = await job.run(['run', ...settings, '--log-format', 'json'], changes);
  assert.match(json.stderr, /"likelyCauses":\["https_proxy is set/);
  const doctor = await job.run(['doctor', ...settings], changes);
  assert.ok(doctor.stdout.includes(`likely cause 1: ${cause}`), doctor.stdout);
  const egress = await job.run(['doctor', '--egress', ...settings], changes);
  assert.ok(egress.stdout.includes(`Note: HTTP proxy: ${cause}.`), egress.stdout);
  assert.ok(egress.stdout.includes(`Likely cause: ${cause}.`), egress.stdout);
});

test('requests to other servers say that HTTP_PROXY is not for them', async (t) => {
  const job = await beginJob(t, cluster);
  const changes = { environment: { HTTP_PROXY: 'http://somebody:hunter2@proxy.invalid:3128' }, secrets: SECRETS };
  const mirror = ['--cdn-base-url', 'https://cdn.invalid', '--version', '18.6.0', '--edition', 'oss', ...QUICK];
  const { stderr } = await job.run(['install-tools', '--tools', 'tsh', '--dir', `${job.folder}/t`, ...mirror], changes);
  assert.match(
    stderr,
    /^ {2}1\. HTTP_PROXY is set, but is not used for cdn\.invalid:443: set HTTPS_PROXY, which counts/m,
  );
});

test('an invalid variable is wrong input: no command contacts anything, not even around the proxy', async (t) => {
  const job = await beginJob(t, cluster);
  const changes = { environment: { ALL_PROXY: 'socks4://somebody:hunter2@proxy.invalid' }, secrets: SECRETS };
  const tools = [
    'install-tools',
    '--tools',
    'tsh',
    '--dir',
    `${job.folder}/tools`,
    '--proxy-server',
    cluster.info.proxy,
  ];
  const settings = job.flags.slice(1);
  for (const args of [job.flags, [...job.flags, '--engine', 'tbot'], tools, ['doctor', '--egress', ...settings]]) {
    const { exitCode, stderr } = await job.run(args, changes);
    assert.equal(exitCode, 2);
    assert.match(
      stderr,
      /^error: the variable ALL_PROXY has the scheme "socks4", expected http, https, socks5 or socks5h$/m,
    );
    assert.match(stderr, /^hint: Set ALL_PROXY to the address .*\ncode: EGRESS_PROXY_INVALID$/m);
  }
  const doctor = await job.run(['doctor', ...settings], changes);
  assert.match(
    doctor.stdout,
    /^fail {2}HTTP proxy +the variable ALL_PROXY has the scheme "socks4".*\[EGRESS_PROXY_INVALID\]/m,
  );
  assert.match(doctor.stdout, /^skip {2}Proxy port +the address of the proxy is invalid$/m);
  assert.match(doctor.stdout, /^skip {2}Join +/m);
  assert.deepEqual(cluster.records.all, []);
});
