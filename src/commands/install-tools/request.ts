/** Reads what `install-tools` is asked to install, all problems together. */
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
import { makeFolder, unwritable } from './installed.ts';
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
  readonly wish: ReleaseRequest;
  /** Of the cluster that is asked for what the wish leaves open. */
  readonly proxy: Address | undefined;
  readonly baseUrl: URL;
  /** Hexadecimal, lower case. */
  readonly sha256: string | undefined;
  /** Absolute. */
  readonly directory: string;
}

/** What is refused is collected; the value that a reader then returns is never used. */
type Refuse = (flag: string, message: string) => void;

export const DEFAULT_BASE_URL = 'https://cdn.teleport.dev';
const WEB_PORT = 443;
const UNSUPPORTED: Platform = { system: 'linux', architecture: 'amd64' };

/** @throws MachineIdError USAGE_INVALID, TOOLS_UNAVAILABLE on a platform without releases */
export function readToolsRequest(given: GivenFlags, world: World): ToolsRequest {
  const problems: Problem[] = [];
  const refuse: Refuse = (flag, message) => problems.push({ path: `--${flag}`, message });
  const { environment, files, architecture } = world;
  const text = (flag: string, variable?: string) => {
    const value = given.get(flag)?.[0] ?? (variable === undefined ? undefined : environment[variable]);
    return value === '' ? undefined : value;
  };
  const platform = platformOf(files.platform, architecture);
  const request = {
    tools: readTools(text('tools') ?? '', platform, refuse),
    platform: platform ?? UNSUPPORTED,
    wish: {
      version: readVersion(text('version') ?? 'auto', refuse),
      edition: readEdition(text('edition') ?? 'auto', refuse),
      fips: readFips(text('fips') ?? 'auto', refuse),
    },
    proxy: readProxy(text('proxy-server', 'TELEPORT_PROXY'), refuse),
    baseUrl: readBaseUrl(text('cdn-base-url', 'TELEPORT_CDN_BASE_URL') ?? DEFAULT_BASE_URL, refuse),
    sha256: readDigest(text('sha256'), refuse),
    directory: readDirectory(text('dir'), world, refuse),
  };
  checkTogether(request, refuse);
  if (problems.length > 0) {
    throw new MachineIdError('USAGE_INVALID', 'the command line is wrong', {
      hint: 'See the flags of the command with --help.',
      problems,
    });
  }
  if (platform === undefined) throw noReleases(files.platform, architecture);
  return request;
}

function checkTogether({ platform, wish: { version, edition, fips }, proxy }: ToolsRequest, refuse: Refuse): void {
  if (version === 'auto' && proxy === undefined) {
    refuse('version', 'auto asks the cluster: give --proxy-server or TELEPORT_PROXY, or a version X.Y.Z');
  }
  if (fips !== true) return;
  if (edition === 'oss') refuse('fips', 'the open-source edition is not built for FIPS');
  if (platform.system !== 'linux') refuse('fips', `Teleport is not built for FIPS on ${platform.system}`);
}

function readTools(text: string, platform: Platform | undefined, refuse: Refuse): readonly Tool[] {
  const { tools, unknown } = parseTools(text);
  for (const name of unknown) {
    refuse('tools', `${JSON.stringify(name)} is none of Teleport's programs: ${TOOLS.join(', ')}`);
  }
  if (tools.length + unknown.length === 0) refuse('tools', `names no program: any of ${TOOLS.join(', ')}`);
  for (const tool of tools) {
    if (platform !== undefined && !isReleasedFor(tool, platform)) {
      refuse('tools', `${tool} is not released for ${platform.system}`);
    }
  }
  return tools;
}

function readVersion(text: string, refuse: Refuse): string {
  if (text === 'auto') return text;
  const version = parseServerVersion(text)?.text;
  // A build's own mark, behind a plus, stands in no file's name.
  if (version === undefined || version.includes('+'))
    refuse('version', `${JSON.stringify(text)} is neither X.Y.Z nor auto`);
  return version ?? '';
}

function readEdition(text: string, refuse: Refuse): ReleaseRequest['edition'] {
  if (text === 'oss' || text === 'enterprise' || text === 'auto') return text;
  refuse('edition', `${JSON.stringify(text)} is none of oss, enterprise and auto`);
  return 'auto';
}

function readFips(text: string, refuse: Refuse): ReleaseRequest['fips'] {
  if (text === 'required' || text === 'none') return text === 'required';
  if (text !== 'auto') refuse('fips', `${JSON.stringify(text)} is none of required, none and auto`);
  return 'auto';
}

function readProxy(text: string | undefined, refuse: Refuse): Address | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text, WEB_PORT);
  if (address === undefined) refuse('proxy-server', `${JSON.stringify(text)} is no host:port`);
  return address;
}

/** The text may hold a password, so that no message repeats it. */
function readBaseUrl(text: string, refuse: Refuse): URL {
  const url = parseHttpsUrl(text);
  if (url?.search === '' && url.hash === '') return url;
  refuse('cdn-base-url', 'is no https:// address without a query');
  return new URL(DEFAULT_BASE_URL);
}

function readDigest(text: string | undefined, refuse: Refuse): string | undefined {
  if (text !== undefined && !/^[0-9a-f]{64}$/i.test(text)) refuse('sha256', 'is not 64 hexadecimal digits');
  return text?.toLowerCase();
}

function readDirectory(text: string | undefined, { environment, workingDirectory }: World, refuse: Refuse): string {
  const home = environment.HOME ?? environment.USERPROFILE ?? '';
  if (text === undefined && !isAbsolute(home)) refuse('dir', 'is needed, as there is no home directory');
  const path = resolve(workingDirectory, text ?? join(home, '.teleport-machine-id', 'tools'));
  // PATH parts its folders by colons, and no quoting helps.
  if (/\p{Cc}/u.test(path) || path.replace(/^[a-z]:/i, '').includes(':'))
    refuse('dir', 'holds a colon or a control character');
  return path;
}

function noReleases(platform: string, architecture: string): MachineIdError {
  return new MachineIdError('TOOLS_UNAVAILABLE', `Teleport is not released for ${platform} on ${architecture}`, {
    hint: 'Teleport is released for Linux (amd64, arm64, arm, 386), macOS (amd64, arm64) and Windows (amd64).',
  });
}

// A decision of what to install, as a file: the key of a cache is made from it, and a later step installs by it.

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

/** The same request gives the same bytes. @throws MachineIdError DESTINATION_UNWRITABLE */
export async function writePlan(
  files: Pick<Files, 'makeDirectory' | 'remove' | 'createFile'>,
  path: string,
  { tools, release, baseUrl, sha256, directory }: InstallRequest,
): Promise<void> {
  const plan = { tools, release, baseUrl: baseUrl.href, sha256, directory };
  try {
    await makeFolder(files, dirname(path));
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
    throw noPlan(`cannot read the plan ${path}: ${fileErrorText(cause)}`, cause);
  }
  try {
    const plan = z.parse(Plan, JSON.parse(text));
    return { ...plan, baseUrl: new URL(plan.baseUrl), sha256: plan.sha256 };
  } catch (cause) {
    throw noPlan(`${path} is not a plan that --write-plan has written`, cause);
  }
}

function noPlan(message: string, cause: unknown): MachineIdError {
  return new MachineIdError('USAGE_INVALID', message, {
    hint: 'Call the command with --write-plan first, as the same user and with the same version of this program.',
    cause,
  });
}
