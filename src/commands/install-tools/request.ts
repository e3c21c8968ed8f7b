/** Reads what `install-tools` is to install from flags or a plan, and reports all problems together. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import * as z from 'zod/mini';
import type { GivenFlags } from '../../cli/flags.ts';
import { fileErrorText } from '../../effects/file-error.ts';
import type { Files } from '../../effects/files.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError, type Problem } from '../../errors.ts';
import { type Address, parseAddress, parseHttpsUrl } from '../../net/address.ts';
import { parseServerVersion } from '../../teleport/ping.ts';
import type { InstallRequest } from './install.ts';
import { makeDirectories, unwritable } from './directory.ts';
import {
  isReleasedFor,
  parseTools,
  type Platform,
  platformOf,
  type ReleaseRequest,
  type Tool,
  TOOLS,
} from './release.ts';

export interface ToolsRequest {
  readonly tools: readonly Tool[];
  readonly platform: Platform;
  readonly requestedRelease: ReleaseRequest;
  /** The Proxy of the cluster that decides what `requestedRelease` leaves open. */
  readonly proxy: Address | undefined;
  readonly baseUrl: URL;
  /** Hexadecimal, lower case. */
  readonly sha256: string | undefined;
  /** An absolute path. */
  readonly directory: string;
}

/** Collects a problem; the value that the reader returns afterwards is not used. */
type AddProblem = (flag: string, message: string) => void;

export const DEFAULT_BASE_URL = 'https://cdn.teleport.dev';
const WEB_PORT = 443;
const UNSUPPORTED: Platform = { system: 'linux', architecture: 'amd64' };

/** @throws MachineIdError USAGE_INVALID, TOOLS_UNAVAILABLE on a platform without releases */
export function readToolsRequest(given: GivenFlags, world: World): ToolsRequest {
  const problems: Problem[] = [];
  const addProblem: AddProblem = (flag, message) => problems.push({ path: `--${flag}`, message });
  const { environment, files, architecture } = world;
  const text = (flag: string, variable?: string) => {
    const value = given.get(flag)?.[0] ?? (variable === undefined ? undefined : environment[variable]);
    return value === '' ? undefined : value;
  };
  const platform = platformOf(files.platform, architecture);
  const request = {
    tools: readTools(text('tools') ?? '', platform, addProblem),
    platform: platform ?? UNSUPPORTED,
    requestedRelease: {
      version: readVersion(text('version') ?? 'auto', addProblem),
      edition: readEdition(text('edition') ?? 'auto', addProblem),
      fips: readFips(text('fips') ?? 'auto', addProblem),
    },
    proxy: readProxy(text('proxy-server', 'TELEPORT_PROXY'), addProblem),
    baseUrl: readBaseUrl(text('cdn-base-url', 'TELEPORT_CDN_BASE_URL') ?? DEFAULT_BASE_URL, addProblem),
    sha256: readDigest(text('sha256'), addProblem),
    directory: readDirectory(text('dir'), world, addProblem),
  };
  checkCombination(request, addProblem);
  if (problems.length > 0) {
    throw new MachineIdError('USAGE_INVALID', 'the command line is invalid', {
      hint: 'List the flags of the command with --help.',
      problems,
    });
  }
  if (platform === undefined) throw noReleases(files.platform, architecture);
  return request;
}

function checkCombination(
  { platform, requestedRelease: { version, edition, fips }, proxy }: ToolsRequest,
  addProblem: AddProblem,
): void {
  if (version === 'auto' && proxy === undefined) {
    addProblem('version', 'auto needs a cluster: set --proxy-server or TELEPORT_PROXY, or use a version X.Y.Z');
  }
  if (fips !== true) return;
  if (edition === 'oss') addProblem('fips', 'the open-source edition has no FIPS build');
  if (platform.system !== 'linux') addProblem('fips', `Teleport has no FIPS build for ${platform.system}`);
}

function readTools(text: string, platform: Platform | undefined, addProblem: AddProblem): readonly Tool[] {
  const { tools, unknown } = parseTools(text);
  for (const name of unknown) {
    addProblem('tools', `${JSON.stringify(name)} is not a Teleport program; expected any of ${TOOLS.join(', ')}`);
  }
  if (tools.length + unknown.length === 0)
    addProblem('tools', `contains no program; expected any of ${TOOLS.join(', ')}`);
  for (const tool of tools) {
    if (platform !== undefined && !isReleasedFor(tool, platform)) {
      addProblem('tools', `${tool} is not released for ${platform.system}`);
    }
  }
  return tools;
}

function readVersion(text: string, addProblem: AddProblem): string {
  if (text === 'auto') return text;
  const version = parseServerVersion(text)?.text;
  // File names do not contain build metadata (after a plus sign).
  if (version === undefined || version.includes('+'))
    addProblem('version', `must be X.Y.Z or auto, got ${JSON.stringify(text)}`);
  return version ?? '';
}

function readEdition(text: string, addProblem: AddProblem): ReleaseRequest['edition'] {
  if (text === 'oss' || text === 'enterprise' || text === 'auto') return text;
  addProblem('edition', `must be oss, enterprise or auto, got ${JSON.stringify(text)}`);
  return 'auto';
}

function readFips(text: string, addProblem: AddProblem): ReleaseRequest['fips'] {
  if (text === 'required' || text === 'none') return text === 'required';
  if (text !== 'auto') addProblem('fips', `must be required, none or auto, got ${JSON.stringify(text)}`);
  return 'auto';
}

function readProxy(text: string | undefined, addProblem: AddProblem): Address | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text, WEB_PORT);
  if (address === undefined) addProblem('proxy-server', `must be host:port, got ${JSON.stringify(text)}`);
  return address;
}

/** Messages do not quote the text, which may contain a password. */
function readBaseUrl(text: string, addProblem: AddProblem): URL {
  const url = parseHttpsUrl(text);
  if (url?.search === '' && url.hash === '') return url;
  addProblem('cdn-base-url', 'must be an https:// URL without a query');
  return new URL(DEFAULT_BASE_URL);
}

function readDigest(text: string | undefined, addProblem: AddProblem): string | undefined {
  if (text !== undefined && !/^[0-9a-f]{64}$/i.test(text)) addProblem('sha256', 'must be 64 hexadecimal digits');
  return text?.toLowerCase();
}

function readDirectory(
  text: string | undefined,
  { environment, workingDirectory }: World,
  addProblem: AddProblem,
): string {
  const home = environment.HOME ?? environment.USERPROFILE ?? '';
  if (text === undefined && !isAbsolute(home)) addProblem('dir', 'is required, because there is no home directory');
  const path = resolve(workingDirectory, text ?? join(home, '.teleport-machine-id', 'tools'));
  // Colons separate the directories of PATH and cannot be quoted.
  if (/\p{Cc}/u.test(path) || path.replace(/^[a-z]:/i, '').includes(':'))
    addProblem('dir', 'contains a colon or a control character');
  return path;
}

function noReleases(platform: string, architecture: string): MachineIdError {
  return new MachineIdError('TOOLS_UNAVAILABLE', `Teleport is not released for ${platform} on ${architecture}`, {
    hint: 'Teleport is released for Linux (amd64, arm64, arm, 386), macOS (amd64, arm64) and Windows (amd64).',
  });
}

/** The file of `--write-plan`: a cache key is computed from it, and a later step installs what it lists. */
const Plan = z.strictObject({
  tools: z.array(z.enum(TOOLS)),
  release: z.strictObject({
    version: z.string().check(z.regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/)),
    edition: z.enum(['oss', 'enterprise']),
    fips: z.boolean(),
    platform: z.strictObject({
      system: z.enum(['linux', 'darwin', 'windows']),
      architecture: z.enum(['amd64', 'arm64', 'arm', '386']),
    }),
  }),
  baseUrl: z.string().check(z.refine((text) => parseHttpsUrl(text) !== undefined)),
  sha256: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
  directory: z.string().check(z.refine((path) => isAbsolute(path) && !/\p{Cc}/u.test(path))),
});

const MAX_PLAN_BYTES = 64 * 1024;

/**
 * Writes the same bytes for the same request.
 * @throws MachineIdError DESTINATION_UNWRITABLE
 */
export async function writePlan(
  files: Pick<Files, 'makeDirectory' | 'remove' | 'createFile'>,
  path: string,
  { tools, release, baseUrl, sha256, directory }: InstallRequest,
): Promise<void> {
  const plan = { tools, release, baseUrl: baseUrl.href, sha256, directory };
  try {
    await makeDirectories(files, dirname(path));
    await files.remove(path);
    await files.createFile(path, `${JSON.stringify(plan, undefined, 2)}\n`);
  } catch (error) {
    throw unwritable(dirname(path), error);
  }
}

/** @throws MachineIdError USAGE_INVALID */
export async function readPlan(files: Pick<Files, 'readText'>, path: string): Promise<InstallRequest> {
  let text: string;
  try {
    text = await files.readText(path, { maxBytes: MAX_PLAN_BYTES });
  } catch (cause) {
    throw invalidPlan(`cannot read the plan ${path}: ${fileErrorText(cause)}`, cause);
  }
  try {
    const plan = z.parse(Plan, JSON.parse(text));
    return { ...plan, baseUrl: new URL(plan.baseUrl), sha256: plan.sha256 };
  } catch (cause) {
    throw invalidPlan(`${path} was not written by --write-plan`, cause);
  }
}

function invalidPlan(message: string, cause: unknown): MachineIdError {
  return new MachineIdError('USAGE_INVALID', message, {
    hint: 'Run the command with --write-plan first, as the same user and with the same version of this program.',
    cause,
  });
}
