/** Destinations on the command line: a directory, or a URI. */
import { type Destination, plainDirectory } from '../schema/destination.ts';
import { unexpandedPath } from '../schema/unexpanded.ts';

/** Reads `DIR`, `file:…`, `memory:` or `kubernetes-secret://<namespace>/<name>`; a string is the error message. */
export function readDestinationUri(text: string): Destination | string {
  const unexpanded = unexpandedPath(text);
  if (unexpanded !== undefined) return unexpanded;
  const [, scheme, host, path] = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/]*))?(.*)$/is.exec(text) ?? [];
  switch (scheme?.toLowerCase()) {
    case undefined:
      return plainDirectory(text);
    case 'file':
      return fileDestination(host ?? '', path ?? '');
    case 'memory':
      if (host || path) return 'memory-backed data storage should not have host or path specified';
      return { type: 'memory' };
    case 'kubernetes-secret':
      return secretDestination(host ?? '', path ?? '');
    default:
      return 'unrecognized data storage scheme; give a directory, file:, memory: or kubernetes-secret:';
  }
}

function fileDestination(host: string, path: string): Destination | string {
  if (host !== '' && host !== 'localhost') return 'file-backed data storage must be on the local host';
  if (path === '') return 'destination path must not be empty';
  const decoded = decode(path);
  return decoded === undefined ? `"${path}" has a "%" that begins no escape; write it as %25` : directoryAt(decoded);
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** Escapes may hide something that is meant for a shell. */
function directoryAt(path: string): Destination | string {
  return unexpandedPath(path) ?? plainDirectory(path);
}

function secretDestination(host: string, path: string): Destination | string {
  const name = path.replace(/^\//, '');
  if (name === '' || name.includes('/')) return 'must have the form kubernetes-secret://<namespace>/<name>';
  return { type: 'kubernetes_secret', name, namespace: host === '' ? undefined : host, labels: {} };
}
