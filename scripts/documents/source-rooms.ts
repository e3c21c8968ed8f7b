/** The folders of src in their order, from the top down, and what their files import from each other. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { code, markdownTable } from './markdown.ts';
import type { Parts } from './regions.ts';
import type { Room } from './rooms-picture.ts';

export const SOURCE = 'src';

/** A file imports from its own folder or from one further down. */
export const ROOMS: readonly (readonly [name: string, purpose: string])[] = [
  ['main.ts', 'The entry point: prints the version and the help itself, and answers kubectl.'],
  ['process.ts', 'Real effects go in, a command runs, its exit code comes out.'],
  ['program.ts', 'Runs the command that the arguments name, and reports its failure.'],
  ['command-table.ts', 'The table of commands, each loaded when it is called, and their help.'],
  ['commands', 'One file or folder per command; the file reads as its story.'],
  ['cli', 'Flags to typed values, and printing an error.'],
  ['tbot', '`--engine tbot`: its configuration file, its process, what it wrote.'],
  ['rules', 'Join tokens: reads them, decides which jobs their rules admit, and finds mistakes in them.'],
  ['config', 'Flags, environment and `tbot.yaml` become one checked plan.'],
  ['tunnels', 'One file per tunnel type: the certificates it requests, and what it does with a connection.'],
  ['outputs', 'One file per output type: the certificates it requests and the files it writes.'],
  ['auth', 'The session with the Auth Service: calls, certificates, verification of the response.'],
  ['join', 'Becoming the bot: join service, registration endpoint, when to fall back to the other.'],
  ['teleport', 'Facts of Teleport: ping, names, key types, endpoints, the SSH transport.'],
  ['grpc', 'gRPC and protobuf over an open socket; the generated messages in `gen/`.'],
  ['net', 'Addresses, dialing, TLS trust, HTTPS, failures of the network, the trace.'],
  ['files', 'Destinations: prepare, write all files or none, remove.'],
  ['schema', "YAML as Go's yaml.v3 reads it; typed fields with line numbers."],
  ['job', 'The only folder that knows CircleCI: OIDC token, ids, `$BASH_ENV`, the manifest.'],
  ['crypto', 'Bytes in, values out: keys, X.509, SSH.'],
  ['effects', 'Clock, files, programs, terminal, log, secret, retry: small interfaces and the real ones.'],
  ['errors.ts', 'The one error class and its closed set of codes.'],
];

export function sourceFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .toSorted();
}

/** Every module name in an import, an export from, or a dynamic import. */
export function moduleNames(text: string): readonly string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map(([, name = '']) => name);
}

/** The files of this repository that a file imports. */
export function importsOf(file: string): readonly string[] {
  return moduleNames(readFileSync(file, 'utf8'))
    .filter((name) => name.startsWith('.'))
    .map((name) => normalize(join(dirname(file), name)));
}

/** `commands` for `src/commands/run.ts`. */
export function roomOf(file: string): string {
  return relative(SOURCE, file).split('/')[0] ?? '';
}

export function sourceRooms(): readonly Room[] {
  const files = sourceFiles(SOURCE);
  return ROOMS.map(([name, purpose]) => {
    const imported = files.filter((file) => roomOf(file) === name).flatMap((file) => importsOf(file).map(roomOf));
    // In the order of the rooms, so that a further import between the same two changes nothing.
    const imports = new Set(ROOMS.map(([room]) => room).filter((room) => room !== name && imported.includes(room)));
    return { name, purpose: purpose.replaceAll('`', ''), imports };
  });
}

/** The table of ARCHITECTURE.md. */
export function roomParts(): Parts {
  const rows = ROOMS.map(([name, purpose]) => [code(name.endsWith('.ts') ? name : `${name}/`), purpose]);
  return new Map([['rooms', markdownTable(['Room', 'Purpose'], rows)]]);
}
