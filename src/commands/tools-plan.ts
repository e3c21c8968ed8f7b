/** A decision of what to install, as a file: the key of a cache is made from it, and a later step installs by it. */
import { dirname, isAbsolute } from 'node:path';
import * as z from 'zod/mini';
import { fileFault } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';
import { parseHttpsUrl } from '../teleport/https-url.ts';
import type { InstallRequest } from '../tools/install.ts';
import { makeFolder, unwritable } from '../tools/tool-directory.ts';
import { TOOLS } from '../tools/tool.ts';

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
    throw noPlan(`cannot read the plan ${path}: ${fileFault(cause)}`, cause);
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
