/** The key `listen` of a tunnel, as tbot spells it: `tcp://host:port` or `unix:///path`. */
import * as z from 'zod/mini';
import { parseAddress } from '../net/address.ts';
import type { ListenAddress } from '../net/listen.ts';
import { type Field, refuse, requiredPath } from '../schema/fields.ts';

export const listenField: Field<ListenAddress> = z.pipe(
  requiredPath('listen: should not be empty'),
  z.transform((text: string, context) => {
    const found = readListenAddress(text);
    return typeof found === 'string' ? refuse(context, found) : found;
  }),
);

/** @returns a refusal if the text is not an address */
export function readListenAddress(text: string): ListenAddress | string {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [];
  if (scheme === 'tcp') return tcpAddress(rest) ?? `"${text}" is not an address to listen at; expected tcp://HOST:PORT`;
  if (scheme !== 'unix') return `"${text}" is not an address to listen at; expected ${probableForm(text)}`;
  // tbot ignores the first folder of unix://a/b, and listens at /b.
  return rest.startsWith('/') && rest.length > 1
    ? { kind: 'unix', path: rest }
    : `"${text}" is not the path of a socket; expected unix:///ABSOLUTE/PATH, with three slashes`;
}

function tcpAddress(text: string): ListenAddress | undefined {
  const isFree = text.endsWith(':0');
  const found = parseAddress(isFree ? `${text.slice(0, -1)}1` : text, 0);
  return found && { kind: 'tcp', host: found.host, port: isFree ? 0 : found.port };
}

function probableForm(text: string): string {
  if (text.startsWith('/')) return `unix://${text}`;
  return tcpAddress(text) === undefined ? 'tcp://HOST:PORT or unix:///PATH' : `tcp://${text}`;
}

/** As `tbot.yaml` spells it. */
export function writeListenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  const { host, port } = address;
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Whether only programs of this machine can reach it. */
export function isLocal(address: ListenAddress): boolean {
  return address.kind === 'unix' || /^(localhost|127(\.\d+){3}|::1)$/.test(address.host);
}
