/**
 * RSA keys that the processes of a test run share, because finding primes takes longer than anything else in the cluster. A few
 * primes make them all, two for each key: whoever has two of the keys can factor both, which no test minds.
 */
import {
  createPrivateKey,
  generateKeyPair,
  generatePrime,
  type GeneratePrimeOptions,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);
const findPrime: (bits: number, options: GeneratePrimeOptions) => Promise<ArrayBuffer | bigint> =
  promisify(generatePrime);

/** OpenSSL sets the two highest bits of a prime, so that the product of two has twice as many. */
const PRIME_BITS = 1024;
const PRIMES = 12;
const EXPONENT = 65_537n;

/** Which two primes make each key. */
const PAIRS = Array.from({ length: PRIMES }, (_, larger) =>
  Array.from({ length: larger }, (_unused, smaller) => [larger, smaller] as const),
).flat();

/** How many there are. */
export const SHARED_RSA_KEYS = PAIRS.length;

/** Of this process. */
const primes = new Map<number, Promise<bigint>>();
const keys = new Map<number, Promise<KeyObject>>();

/** The same for all processes that have the same folder in `TEST_RSA_KEYS`; a fresh one if there is none. */
export function sharedRsaKey(number: number): Promise<KeyObject> {
  const { TEST_RSA_KEYS: folder = '' } = process.env;
  if (folder === '') return freshRsaKey();
  const at = number % SHARED_RSA_KEYS;
  const key = keys.get(at) ?? keyOf(folder, at);
  keys.set(at, key);
  return key;
}

async function freshRsaKey(): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength: 2 * PRIME_BITS })).privateKey;
}

async function keyOf(folder: string, at: number): Promise<KeyObject> {
  const [p = 0n, q = 0n] = await Promise.all(PAIRS[at]?.map((prime) => primeOf(folder, prime)) ?? []);
  return rsaKeyOf(p, q);
}

function primeOf(folder: string, at: number): Promise<bigint> {
  const prime = primes.get(at) ?? storedPrime(folder, `prime-${at}`);
  primes.set(at, prime);
  return prime;
}

async function storedPrime(folder: string, name: string): Promise<bigint> {
  const path = join(folder, name);
  try {
    return BigInt(await readFile(path, 'utf8'));
  } catch {
    const prime = await freshPrime();
    const temporary = `${path}.${randomUUID()}`;
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, String(prime), { mode: 0o600 });
    await rename(temporary, path);
    return prime;
  }
}

/** One for which the exponent has an inverse. */
async function freshPrime(): Promise<bigint> {
  for (;;) {
    const prime = await findPrime(PRIME_BITS, { bigint: true });
    if (typeof prime === 'bigint' && prime % EXPONENT !== 1n) return prime;
  }
}

/** RFC 8017 section 3.2. */
export function rsaKeyOf(p: bigint, q: bigint): KeyObject {
  const d = inverse(EXPONENT, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e: EXPONENT, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const encoded = Object.entries(numbers).map(([name, value]) => [name, base64Url(value)] as const);
  return createPrivateKey({ format: 'jwk', key: { kty: 'RSA', ...Object.fromEntries(encoded) } });
}

/** By Euclid's extended algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [rest, next, factor, nextFactor] = [modulus, value % modulus, 0n, 1n];
  while (next !== 0n) {
    const quotient = rest / next;
    [rest, next] = [next, rest - quotient * next];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return factor < 0n ? factor + modulus : factor;
}

function base64Url(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}
