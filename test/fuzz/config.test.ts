/** Fuzzes what users write: files, flags, variables, addresses, durations, templates. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { parseFlags } from '../../src/cli/flags.ts';
import { RUN_FLAGS } from '../../src/commands/run-flags.ts';
import { readGivenAddress } from '../../src/config/choose.ts';
import { readDestinationUri } from '../../src/config/destination-uri.ts';
import { readJoinUri } from '../../src/config/join-token.ts';
import { Findings, named } from '../../src/config/findings.ts';
import { formatAddress, parseAddress } from '../../src/net/address.ts';
import { contextName, parseContextTemplate } from '../../src/outputs/context-name.ts';
import { supportedOutputs } from '../../src/outputs/supported.ts';
import { closestMatch, parseDuration } from '../../src/schema/values.ts';
import { planOf, v2 } from '../config/plan-of.ts';
import { mostly, ODD_TEXTS, textLike } from './mutations.ts';
import { fuzz } from './property.ts';

/** Every complete file of the reference, and two with what those do not cover. */
const DOCUMENTED = [
  ...readFileSync('docs/reference/tbot-yaml.md', 'utf8').matchAll(/```yaml\n(version: v2[^`]*)```/g),
].map(([, text = '']) => text);
const MIXED = v2(`credential_ttl: 1h
storage: &s {type: directory, path: s, symlinks: secure}
outputs:
- type: identity
  destination: {<<: *s, path: a, readers: [{user: u}, {group: "0"}]}
  ssh_config: on
  roles: [access, 'editor']
- {type: kubernetes/v2, destination: {type: memory}, selectors: [{labels: {a: "b"}, default_namespace: n}], context_name_template: "{{.KubeName}}"}
- {type: workload-identity-x509, destination: {type: directory, path: w}, selector: {labels: {a: [b, c]}}}
- {type: workload-identity-jwt, destination: {type: directory, path: j}, selector: {name: n}, audiences: [a]}
- {type: spiffe-svid, destination: {type: directory, path: v}, svid: {path: /a, sans: {dns: [a], ip: [10.0.0.1]}}, jwts: [{audience: a, file_name: b}]}
- {type: database, destination: {type: directory, path: d}, service: s, database: d, username: u, format: tls}
- {type: application, destination: {type: directory, path: p}, app_name: a}
- {type: ssh_host, destination: {type: directory, path: h}, principals: [a.example.com]}
services:
- {type: database-tunnel, listen: l, service: s, database: d, username: u}
`);
const V1 = `auth_server: a:1
onboarding: {token: t, join_method: circleci, ca_pins: []}
storage: {memory: true}
certificate_ttl: 30m
destinations:
- directory: {path: /d, symlinks: insecure}
  configs: [tls, mongo: {}, ssh_host_cert: {principals: [a]}]
- {memory: {}, app: a}
`;
const YAML_WORDS = [
  '\n',
  '  ',
  ': ',
  '- ',
  '? ',
  '[',
  ']',
  '{',
  '}',
  ',',
  '&s ',
  '*s',
  '<<: ',
  '!!map ',
  '!!str ',
].concat(
  ...['|', '>', '#', '---\n', '...\n', '%YAML 1.2\n', '~', 'null', 'version: v1\n', 'type', 'destination', 'outputs'],
  ...['__proto__: {a: b}\n', 'constructor: {}\n', '"__proto__": [x]', 'on', 'off', '1h', '-1s', '0'],
);
const files = textLike([...DOCUMENTED, MIXED, MIXED, V1], YAML_WORDS);

fuzz(
  'a file becomes a plan or is refused',
  files,
  async (text) => {
    const plan = await planOf(text);
    assert.ok(plan.outputs.length < 1_000);
    supportedOutputs(plan);
  },
  { runs: 1000 },
);

const values = fc.oneof(fc.string({ maxLength: 30, unit: 'binary' }), fc.constantFrom(...ODD_TEXTS));

fuzz(
  'a file with odd keys and values gives them no meaning',
  fc.tuple(values, values, values),
  async ([key, name, value]) => {
    const quoted = (text: string) => JSON.stringify(text);
    const labels = `{${quoted(key)}: ${quoted(value)}}`;
    const output = `{type: kubernetes/v2, destination: {type: memory}, selectors: [{labels: ${labels}}], ${quoted(name)}: 1}`;
    const { insecure, outputs } = await planOf(v2(`outputs: [${output}]\n${quoted(key)}: {insecure: true}\n`));
    assert.equal(insecure, false);
    const [first] = outputs;
    assert.ok(first?.type === 'kubernetes/v2');
    assert.deepEqual(
      first.selectors.map((selector) => Object.entries(selector.labels)),
      [[[key, value]]],
    );
  },
);

fuzz(
  'a duration is a number or is none',
  textLike(['1h30m', '-1.5h', '90s', '100ms', '2us3ns', '.5m'], ['h', 'm', 's', '.', '1']),
  (text) => {
    const durationMs = parseDuration(text);
    assert.ok(durationMs === undefined || Number.isFinite(durationMs));
  },
  { runs: 1000 },
);

const addresses = [
  'proxy.example.com:443',
  '[::1]:3080',
  'https://user@a.example.com/path',
  '10.0.0.1',
  '[fe80::1%eth0]:1',
];

fuzz(
  'an address is read as it is written again, or not at all',
  textLike(addresses, [':', '[', ']', '@', '://', '65536']),
  (text) => {
    const address = parseAddress(text, 443);
    const given = readGivenAddress(text);
    assert.equal(typeof given === 'string', address === undefined);
    if (address === undefined) return;
    assert.doesNotMatch(address.host, /[\s/@"'\\]/);
    assert.deepEqual(parseAddress(formatAddress(address), 1), address);
  },
  { runs: 1000 },
);

fuzz(
  'a join URI is read or refused',
  textLike(['tbot+proxy+circleci://my%20token:parameter@a.example.com:443'], ['+', '://', '%41']),
  (text) => {
    const findings = new Findings();
    const { token } = readJoinUri(text, named('--join-uri'), findings);
    assert.notEqual(token?.value, '');
  },
  { runs: 500 },
);

fuzz(
  'a destination is read or refused',
  textLike(['/a/b', 'file:///a', 'memory:', 'kubernetes-secret://ns/name', 'C:\\a'], [':', '//']),
  (text) => {
    const destination = readDestinationUri(text);
    assert.ok(
      typeof destination === 'string'
        ? destination !== ''
        : destination.type !== 'directory' || text === '' || destination.path !== '',
    );
  },
  { runs: 500 },
);

const templates = ['{{.ClusterName}}-{{.KubeName}}', '{{ index .Labels "a/b" }}x', '{{.Labels.env}}', 'plain'];

fuzz(
  'a template names a context, asks for a label, or is refused',
  textLike(templates, ['{{', '}}', '.Labels.', '"', 'index ']),
  (text) => {
    const template = parseContextTemplate(text);
    if (template === undefined) return;
    const name = contextName(template, { clusterName: 'c', kubeName: 'k', labels: { env: 'e' } });
    assert.equal(typeof ('name' in name ? name.name : name.missingLabel), 'string');
  },
  { runs: 1000 },
);

const words = fc.oneof(
  fc.constantFrom('--config', '-c', '--token=x', '--destination', '--', '-', '--ca-pin', '--insecure', '--insecure=1'),
  fc.constantFrom(
    '--__proto__',
    '--constructor=x',
    '--toString',
    '--no-insecure',
    '-cd',
    '-x',
    '--=',
    '---',
    '--config=',
  ),
  textLike(['--proxy-server=a:1', '--certificate-ttl', '1h'], ['-', '=']),
);

fuzz(
  'a command line becomes flags or is refused',
  fc.array(words, { maxLength: 8 }),
  (args) => {
    const names = new Set(RUN_FLAGS.map(({ name }) => name));
    for (const name of parseFlags(RUN_FLAGS, args).keys()) assert.ok(names.has(name));
  },
  { runs: 1000 },
);

const PIN = `sha256:${'0a'.repeat(32)}`;

fuzz(
  'flags and variables become a plan or are refused',
  fc.record({
    proxyServer: mostly('a.example.com:443', textLike(addresses)),
    destination: mostly('/a', textLike(['/a', 'memory:'])),
    token: mostly('t', values),
    certificateTtl: mostly('1h', textLike(['1h'])),
    caPins: fc.array(mostly(PIN, textLike([PIN])), { maxLength: 2 }),
    debug: mostly('true', values),
    config: mostly('', textLike([Buffer.from(MIXED).toString('base64')])),
  }),
  ({ config, debug, ...flags }) =>
    planOf(undefined, {
      flags,
      environment: { TBOT_CONFIG: config, TBOT_DEBUG: debug, TELEPORT_AUTH_SERVER: debug },
    }),
);

fuzz(
  'the word that was meant is one of the known, for any word',
  fc.tuple(values, fc.array(values, { maxLength: 5 })),
  ([word, known]) => {
    const meant = closestMatch(word, known);
    assert.ok(meant === undefined || known.includes(meant));
    assert.equal(closestMatch(word, [word]), word);
  },
);
