/** Decides which certificate authorities are trusted for the Proxy's web certificate. */
import { X509Certificate } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { fileErrorText } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';

/** How to check the Proxy's web certificate. */
export interface WebTrust {
  /** PEM of the only trusted authorities, or undefined for Node's own list (with `NODE_EXTRA_CA_CERTS`). */
  readonly ca: string | undefined;
  /**
   * PEM of the authorities for other servers, such as an https:// proxy or a mirror: the built-in list, those in `ca`, and
   * those of the environment even if `--ca-file` is given. Undefined for Node's own list. A function, because Node takes ten
   * milliseconds for its list.
   */
  readonly elsewhere?: () => readonly string[];
  /** False only when the user asked for `insecure`. */
  readonly verify: boolean;
  /** Set if this version of Node does not trust all of them on their own: a clause that says why. */
  readonly weakness?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface WebTrustSettings {
  readonly caFile: string | undefined;
  readonly environment: Environment;
  readonly insecure: boolean;
  /** For example `v22.11.0`. */
  readonly nodeVersion: string;
  /** Reads a file that the user named. */
  readonly readText: (path: string) => Promise<string>;
  /** Whether this process runs without Node's own list (node-options.ts), which then must be given. */
  readonly isListMissing?: boolean;
  /** For the directories of `SSL_CERT_DIR`. */
  readonly files: Pick<Files, 'names' | 'readText'>;
}

/**
 * `--ca-file` alone if given. Otherwise what Teleport's own programs trust on Linux: the built-in list or, in its place,
 * the file of `SSL_CERT_FILE`, plus the directories of `SSL_CERT_DIR`. `NODE_EXTRA_CA_CERTS` adds to any of them.
 * @throws MachineIdError CA_FILE_INVALID
 */
export async function webTrust(settings: WebTrustSettings): Promise<WebTrust> {
  const { caFile, environment, insecure, nodeVersion } = settings;
  const certificates = await (caFile === undefined
    ? environmentAuthorities(environment, settings)
    : readCaFile(settings, caFile, '--ca-file'));
  const verify = !insecure;
  if (certificates === undefined) return { ca: undefined, verify };
  const own = certificates.map(({ pem }) => pem);
  const further = caFile === undefined ? [] : await furtherAuthorities(environment, settings);
  const weakness = hasPartialChains(nodeVersion) ? undefined : weaknessOf(certificates, nodeVersion);
  const elsewhere = () => [...new Set([...rootCertificates.map((pem) => `${pem}\n`), ...own, ...further])];
  return { ca: own.join(''), elsewhere, verify, ...(weakness === undefined ? {} : { weakness }) };
}

async function environmentAuthorities(
  { NODE_EXTRA_CA_CERTS: extra = '', SSL_CERT_DIR: directories = '', SSL_CERT_FILE: file = '' }: Environment,
  settings: WebTrustSettings,
): Promise<readonly Authority[] | undefined> {
  const fileAuthorities = file === '' ? undefined : await readCaFile(settings, file, 'SSL_CERT_FILE');
  const directoryAuthorities = await readDirectories(directories, settings.files);
  const isOwnListEnough = fileAuthorities === undefined && directoryAuthorities.length === 0;
  if (isOwnListEnough && settings.isListMissing !== true) return undefined;
  // Passing authorities to Node replaces its own list and NODE_EXTRA_CA_CERTS, so both must be repeated.
  const extraAuthorities = await usableIn(extra, settings);
  const builtIn = rootCertificates.map((pem) => ({ pem: `${pem}\n` }));
  return [...(fileAuthorities ?? builtIn), ...extraAuthorities, ...directoryAuthorities];
}

/** PEM of those in the environment. With `--ca-file`, the cluster does not need them: an unusable file is ignored. */
async function furtherAuthorities(
  { NODE_EXTRA_CA_CERTS: extra = '', SSL_CERT_DIR: directories = '', SSL_CERT_FILE: file = '' }: Environment,
  settings: WebTrustSettings,
): Promise<readonly string[]> {
  const found = [usableIn(file, settings), usableIn(extra, settings), readDirectories(directories, settings.files)];
  return (await Promise.all(found)).flat().map(({ pem }) => pem);
}

/** Those in a file of the environment, if it has any. */
async function usableIn(path: string, { files }: WebTrustSettings): Promise<readonly Authority[]> {
  return path === '' ? [] : usable(() => files.readText(path, { maxBytes: MAX_FILE_BYTES }));
}

/**
 * TLS options that trust only these authorities, roots and intermediates alike, as Go does. Parsing hundreds of them takes
 * milliseconds, so connections with the same list share the result.
 */
export function trustOptions(ca: string | readonly string[] | undefined): { readonly secureContext?: SecureContext } {
  if (ca === undefined) return {};
  const known = typeof ca === 'string' ? CONTEXTS.get(ca) : undefined;
  const secureContext =
    known ?? createSecureContext({ ca: typeof ca === 'string' ? ca : [...ca], allowPartialTrustChain: true });
  if (typeof ca === 'string') CONTEXTS.set(ca, secureContext);
  return { secureContext };
}

/** A run uses at most two lists: one for the cluster and one for AWS. */
const CONTEXTS = new Map<string, SecureContext>();

/**
 * PEM of each certificate of the file.
 * @param origin the setting that names it
 * @throws MachineIdError CA_FILE_INVALID
 */
export async function hostAuthoritiesIn(
  path: string,
  origin: string,
  readText: WebTrustSettings['readText'],
): Promise<readonly string[]> {
  const signed = 'the certificate of the Auth Service ("tctl auth export --type=tls-host" prints it)';
  return (await readCaFile({ readText }, path, origin, signed)).map(({ pem }) => pem);
}

interface Authority {
  readonly pem: string;
  /** Undefined for an authority of Node's own list. */
  readonly x509?: X509Certificate;
}

async function readCaFile(
  { readText }: Pick<WebTrustSettings, 'readText'>,
  path: string,
  origin: string,
  signed = "the Proxy's web certificate",
): Promise<readonly Authority[]> {
  const file = `the CA file ${path} (${origin})`;
  const hint = `Set ${origin} to the path of a PEM file with the certificates of the authorities that sign ${signed}.`;
  let text: string;
  try {
    text = await readText(path);
  } catch (cause) {
    throw new MachineIdError('CA_FILE_INVALID', `cannot read ${file}: ${fileErrorText(cause)}`, { hint, cause });
  }
  const found = authoritiesIn(text);
  if (found.length === 0) {
    throw new MachineIdError('CA_FILE_INVALID', `${file} contains no PEM certificate`, { hint });
  }
  return found.map((one) => {
    if ('pem' in one) return one;
    throw new MachineIdError(
      'CA_FILE_INVALID',
      `${file} contains an invalid certificate: the ${ordinal(one.at)} one, at line ${one.line}`,
      { hint, cause: one.cause },
    );
  });
}

interface MalformedBlock {
  /** Counted from 1, like `line`. */
  readonly at: number;
  readonly line: number;
  readonly cause: unknown;
}

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

/** Text outside the blocks is a comment. */
function authoritiesIn(text: string): readonly (Authority | MalformedBlock)[] {
  const found: (Authority | MalformedBlock)[] = [];
  let open: { readonly line: number; readonly base64: string[] } | undefined;
  const close = (isWhole: boolean) => {
    if (open !== undefined) found.push(authority(open, { at: found.length + 1, isWhole }));
    open = undefined;
  };
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.replace('\ufeff', '').trim();
    if (line === BEGIN) {
      close(false);
      open = { line: at + 1, base64: [] };
    } else if (line === END) close(true);
    else open?.base64.push(line);
  }
  close(false);
  return found;
}

function authority(
  { base64, line }: { readonly line: number; readonly base64: readonly string[] },
  { at, isWhole }: { readonly at: number; readonly isWhole: boolean },
): Authority | MalformedBlock {
  if (!isWhole) return { at, line, cause: new Error('the END line is missing') };
  try {
    const x509 = new X509Certificate(Buffer.from(base64.join(''), 'base64'));
    return { pem: `${BEGIN}\n${base64.join('\n')}\n${END}\n`, x509 };
  } catch (cause) {
    return { at, line, cause };
  }
}

function ordinal(at: number): string {
  const suffix = /1[123]$/.test(String(at)) ? 'th' : (['th', 'st', 'nd', 'rd'][at % 10] ?? 'th');
  return `${at}${suffix}`;
}

const MAX_FILE_BYTES = 1024 * 1024;
/** Limits for all directories together; a system's directory has a few hundred files. */
const MAX_DIRECTORY_FILES = 2000;
const MAX_DIRECTORY_BYTES = 16 * 1024 * 1024;

/** Every certificate of every readable file, once each: such directories hold several links to the same file. */
async function readDirectories(list: string, files: WebTrustSettings['files']): Promise<readonly Authority[]> {
  const found = new Map<string, Authority>();
  let [filesLeft, bytesLeft] = [MAX_DIRECTORY_FILES, MAX_DIRECTORY_BYTES];
  for (const directory of list.split(delimiter).filter((path) => path !== '')) {
    const names = await files.names(directory).catch(() => []);
    for (const name of [...names].sort()) {
      if (filesLeft === 0 || bytesLeft <= 0) return [...found.values()];
      filesLeft -= 1;
      const maxBytes = Math.min(MAX_FILE_BYTES, bytesLeft);
      for (const one of await usable(() => files.readText(join(directory, name), { maxBytes }))) {
        if (!found.has(one.pem)) bytesLeft -= one.pem.length;
        found.set(one.pem, one);
      }
    }
  }
  return [...found.values()];
}

/** Skips unreadable files and malformed certificates, as Go does. */
async function usable(read: () => Promise<string>): Promise<readonly Authority[]> {
  try {
    return authoritiesIn(await read()).filter((one) => 'pem' in one);
  } catch {
    return [];
  }
}

/** Whether this Node has the option `allowPartialTrustChain`: 20.18, 22.9, 23 and later. */
function hasPartialChains(nodeVersion: string): boolean {
  const [, major = 0, minor = 0] = (/^v(\d+)\.(\d+)/.exec(nodeVersion) ?? []).map(Number);
  return major > 22 || (major === 22 && minor >= 9) || (major === 20 && minor >= 18);
}

function weaknessOf(certificates: readonly Authority[], nodeVersion: string): string | undefined {
  const intermediates = certificates.filter(({ x509 }) => x509 !== undefined && x509.subject !== x509.issuer);
  if (intermediates.length === 0) return undefined;
  return `the CA file contains intermediate authorities, but Node ${nodeVersion} trusts a chain only up to its root: add the root, or use Node 20.18, 22.9 or later`;
}
