/** The SHA-256 that stands beside a file of a release. */
import { download, type DownloadSettings } from './download.ts';
import { corrupt } from './tool-error.ts';

const MAX_BYTES = 4096;

/**
 * Asks for `<url>.sha256`: the digest, and behind it, as sha256sum writes it, the name of the file.
 * @returns hexadecimal, lower case
 * @throws MachineIdError TOOLS_CORRUPT, and what downloading throws
 */
export async function publishedDigest(
  archiveUrl: URL,
  settings: Omit<DownloadSettings, 'maxBytes' | 'onProgress'>,
): Promise<string> {
  const url = new URL(archiveUrl);
  url.pathname += '.sha256';
  const parts: Uint8Array[] = [];
  for await (const part of download(url, { ...settings, maxBytes: MAX_BYTES })) parts.push(part);
  return parseDigest(Buffer.concat(parts).toString('latin1'), url.pathname);
}

function parseDigest(text: string, path: string): string {
  const [, digest, name] = /^\s*([0-9a-f]{64})(?:\s+\*?(\S+))?\s*$/i.exec(text) ?? [];
  if (digest === undefined) throw corrupt(`${path} holds no SHA-256`);
  const expected = path
    .split('/')
    .at(-1)
    ?.replace(/\.sha256$/, '');
  if (name !== undefined && name.split('/').at(-1) !== expected) throw corrupt(`${path} is about another file`);
  return digest.toLowerCase();
}
