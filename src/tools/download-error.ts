/** Why a file of a release could not be downloaded. */
import { MachineIdError, type Passing } from '../errors.ts';
import { corrupt } from './tool-error.ts';

/** The address without what may be secret. */
export function shownUrl({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}

export function gaveUp(url: URL, what: string, passing: Passing): MachineIdError {
  return new MachineIdError('TOOLS_UNREACHABLE', `${shownUrl(url)} cannot be downloaded: ${what}`, {
    hint: 'Run the job again, or name a mirror with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
    passing,
  });
}

export function missing(url: URL, status: number, hint: string): MachineIdError {
  return new MachineIdError(
    'TOOLS_UNAVAILABLE',
    `${shownUrl(url)} cannot be downloaded: the server answered ${status}`,
    {
      hint,
    },
  );
}

export function tooLarge(url: URL, maxBytes: number): MachineIdError {
  return corrupt(`${shownUrl(url)} has more than ${maxBytes} bytes`);
}

export function changed(url: URL): MachineIdError {
  return corrupt(`${shownUrl(url)} was replaced while it was being downloaded`);
}

export function wrongRange(url: URL, fromByte: number, range: string): MachineIdError {
  return corrupt(`${shownUrl(url)} was asked for from byte ${fromByte} and sent ${JSON.stringify(range.slice(0, 80))}`);
}

export function tooSlow(url: URL, limitMs: number): MachineIdError {
  return new MachineIdError('TIMEOUT', `${shownUrl(url)} was not downloaded within ${limitMs / 60_000} minutes`, {
    hint: 'Name a mirror that is nearer with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
  });
}
