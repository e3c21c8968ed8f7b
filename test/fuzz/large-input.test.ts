/** Inputs of the maximum size, in shapes for which a careless reader takes quadratic time. */
import test from 'node:test';
import { checkJwtSvid, isInTrustDomain } from '../../src/auth/svid.ts';
import { parseFlags } from '../../src/cli/flags.ts';
import { RUN_FLAGS } from '../../src/commands/run-flags.ts';
import { readGivenAddress } from '../../src/config/choose.ts';
import { readDestinationUri } from '../../src/config/destination-uri.ts';
import { parseSshCertificateBytes } from '../../src/crypto/ssh-certificate.ts';
import { parseAuthorizedKey } from '../../src/crypto/ssh-public-key.ts';
import { readCertificate, splitCertificates } from '../../src/crypto/x509.ts';
import { decodeClaims } from '../../src/job/oidc-claims.ts';
import { joinRefusal } from '../../src/join/refusal.ts';
import { parseAddress } from '../../src/net/address.ts';
import { errorText } from '../../src/net/error-text.ts';
import { oneLine } from '../../src/net/network-error.ts';
import { parseContextTemplate } from '../../src/outputs/context-name.ts';
import { parseDuration } from '../../src/schema/values.ts';
import { isClusterName } from '../../src/teleport/names.ts';
import { parsePing, parseServerVersion } from '../../src/teleport/ping.ts';
import { readStoredIdentity } from '../../src/teleport/stored-identity.ts';
import { suiteName } from '../../src/teleport/suite.ts';
import { planOf, v2 } from '../config/plan-of.ts';
import { SAMPLE_FACTS } from '../join/sample-facts.ts';
import { settles } from './property.ts';

const MEBIBYTE = 1024 * 1024;
/** Maximum length of a program's argument on Linux. */
const ARGUMENT = 128 * 1024;
/** Maximum size of a configuration file. */
const FILE = 256 * 1024;

const fill = (piece: string, length: number): string => piece.repeat(Math.floor(length / piece.length));
const nested = (open: string, close: string, length: number): string =>
  fill(open, length / 2) + '1' + fill(close, (length / 2) * (close.length / open.length));

const asked = { host: 'proxy.example.com', port: 443 };
const ping = (member: string) => parsePing(`{"cluster_name":"a","server_version":"18.0.0",${member}}`, asked);
const pem = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}`;
const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
const jwt = (claims: string) => `e30.${Buffer.from(claims).toString('base64url')}.x`;
const svid = (token: string) =>
  checkJwtSvid({ jwt: token, spiffeId: 's' }, { audiences: [], trustDomain: 'a', askedMs: 0, nowMs: 0 });
const uint32 = (value: number) => Buffer.of(value >>> 24, value >>> 16, value >>> 8, value);

const READERS: readonly (readonly [string, () => unknown])[] = [
  ['a duration of digits without a unit', () => parseDuration(`${fill('1', ARGUMENT)}x`)],
  ['a duration of many parts', () => parseDuration(fill('1h', ARGUMENT))],
  ['a destination of one long scheme', () => readDestinationUri(`${fill('a+', ARGUMENT)}:`)],
  ['an address of one long name', () => readGivenAddress(`${fill('a-', ARGUMENT)}!`)],
  ['an address of many names', () => readGivenAddress(`${fill('a.', ARGUMENT)}!`)],
  ['an address in blanks', () => readGivenAddress(`${fill(' ', ARGUMENT)}x${fill(' ', ARGUMENT)}y`)],
  ['a template that opens and never closes', () => parseContextTemplate(fill('{{index .Labels "', FILE))],
  ['a template of blanks', () => parseContextTemplate(`{{${fill(' ', FILE)}.KubeName`)],
  ['an argument without a flag', () => parseFlags(RUN_FLAGS, [fill('a', ARGUMENT)])],
  ['a flag of that length', () => parseFlags(RUN_FLAGS, [`--${fill('a', ARGUMENT)}`])],
  ['very many flags', () => parseFlags(RUN_FLAGS, new Array<string>(20_000).fill('--ca-pin=x'))],
  ['a ping in brackets', () => parsePing(fill('[', MEBIBYTE), asked)],
  ['a ping in closed brackets', () => parsePing(nested('[', ']', MEBIBYTE), asked)],
  ['a ping in objects', () => ping(`"proxy":${nested('{"kube":', '}', MEBIBYTE)}`)],
  ['a ping with a long address', () => ping(`"proxy":{"kube":{"public_addr":"${fill('a.', MEBIBYTE)}!"}}`)],
  ['a ping with a long suite', () => ping(`"auth":{"signature_algorithm_suite":"${fill('_', MEBIBYTE)}"}`)],
  ['an error in objects', () => errorText(nested('{"error":', '}', MEBIBYTE))],
  ['an error of line breaks', () => oneLine(`x${fill('\n ', MEBIBYTE)}x`)],
  ['a refusal that never comes to its point', () => joinRefusal(fill('does not allow ', MEBIBYTE), true, SAMPLE_FACTS)],
  ['a version with a long end', () => parseServerVersion(`1.2.3-${fill('a.', MEBIBYTE)}!`)],
  ['a suite of dashes', () => suiteName(fill('signature_algorithm_suite_', MEBIBYTE))],
  ['a cluster name', () => isClusterName(`${fill('a', MEBIBYTE)} `)],
  ['an address that a Proxy tells', () => parseAddress(`[${fill('[', MEBIBYTE)}`, 1)],
  ['PEM that begins and begins', () => splitCertificates(fill(pem(''), MEBIBYTE))],
  ['PEM without an end', () => splitCertificates(pem(fill('AAAA\n', MEBIBYTE)))],
  ['PEM of the largest block', () => readCertificate(`${pem(fill('MIIA', MEBIBYTE))}\n-----END CERTIFICATE-----\n`)],
  ['an identity file that begins and begins', () => readStoredIdentity(key + fill(pem('AAAA\n'), MEBIBYTE))],
  ['a key line of blanks', () => parseAuthorizedKey(`ssh-rsa AAAA${fill(' ', MEBIBYTE)}\n`)],
  ['a key line of base64', () => parseAuthorizedKey(`ssh-rsa ${fill('AAAA', MEBIBYTE)}\n`)],
  ['an RSA key of a million bits', () => parseAuthorizedKey(rsaLine(MEBIBYTE / 8))],
  ['an SSH certificate of zeros', () => parseSshCertificateBytes(Buffer.alloc(4 * MEBIBYTE))],
  ['a SPIFFE ID', () => isInTrustDomain(`spiffe://a/${fill('a/', MEBIBYTE)}`, 'a')],
  ['a JWT of dots', () => svid(fill('a.', MEBIBYTE))],
  ['a JWT in brackets', () => svid(jwt(nested('[', ']', MEBIBYTE / 2)))],
  ['a JWT for very many audiences', () => svid(jwt(`{"sub":"s","exp":1,"aud":[${fill('"a",', MEBIBYTE / 2)}"a"]}`))],
  ['an OIDC token in brackets', () => decodeClaims(jwt(nested('[', ']', ARGUMENT / 2)), 'X')],
  ['an OIDC token of dots', () => decodeClaims(fill('.', ARGUMENT), 'X')],
];

/** With an odd modulus and the exponent 65537. */
function rsaLine(modulusBytes: number): string {
  const fields = [Buffer.from('ssh-rsa'), Buffer.of(1, 0, 1), Buffer.alloc(modulusBytes, 0x7f)];
  return `ssh-rsa ${Buffer.concat(fields.flatMap((field) => [uint32(field.length), field])).toString('base64')}`;
}

for (const [what, read] of READERS) {
  test(`${what} is read or refused without delay`, async () => {
    await settles(read);
  });
}

const keys = (count: number, text: (at: number) => string) => Array.from({ length: count }, (_, at) => text(at));

const FILES: readonly (readonly [string, string])[] = [
  ['aliases before very many values', `a: &a 1\nb: [${fill('*a,', 15_000)}]\nc: [${fill('x,', FILE - 20_000)}]`],
  ['aliases of aliases', `a: &a [x,x,x,x,x]\n${keys(24, (at) => `b${at}: &a [*a,*a,*a,*a,*a,*a]`).join('\n')}`],
  [
    'mappings merged into mappings',
    `a: &a {${keys(90, (at) => `k${at}: 1`).join(',')}}\nb: {<<: [${fill('*a,', 9_000)}]}`,
  ],
  ['unknown keys', v2(keys(4_900, (at) => `k${at}: 1`).join('\n'))],
  ['unknown keys in one output', v2(`outputs: [{type: identity, ${keys(4_800, (at) => `k${at}: 1`).join(', ')}}]`)],
  ['an unknown key in each output', v2(`outputs:\n${fill('- {type: identity, x: 1}\n', 48_000)}`)],
  ['outputs of unknown types', v2(`outputs:\n${fill('- {type: x}\n', 38_000)}`)],
  ['one very long key', v2(`? ${fill('k', FILE / 2)}\n: 1\n`)],
  ['long unknown keys', v2(keys(240, (at) => `${fill('k', 1000)}${at}: 1`).join('\n'))],
  ['one key again and again', fill('a:\n', FILE)],
  [
    'outputs in one place',
    v2(`outputs:\n${fill('- {type: identity, destination: {type: directory, path: /a}}\n', 80_000)}`),
  ],
  ['a duration of digits', v2(`renewal_interval: ${fill('1', FILE / 2)}x`)],
  ['levels of indentation', keys(600, (at) => `${fill(' ', at)}a:`).join('\n')],
  ['one very long quoted text', `a: "${fill('x\n ', FILE - 10)}"`],
  ...['[', '{a: ', '{"', '- ', '? ', '&a ', '*a ', '!a ', '#\n', '\n', '\r\n', ': ', '"', "'", '---\n', '...\n'].map(
    filled,
  ),
  ...['%a b\n', '|\n', '\t', '[,', '{?', '\0', '\ud800', '\ufeff', '<<: ', '\u0085', '\u2028'].map(filled),
];

function filled(piece: string): readonly [string, string] {
  return [`nothing but ${JSON.stringify(piece)}`, fill(piece, FILE / 2)];
}

for (const [what, text] of FILES) {
  test(`a file with ${what} is read or refused without delay`, async () => {
    await settles(() => planOf(text));
  });
}
