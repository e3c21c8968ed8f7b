/** Checks the program itself: Node.js, the script and the orb that calls it. */
import { sha256Hex } from '../../crypto/digest.ts';
import type { World } from '../../effects/world.ts';
import { type Check, check } from './check.ts';

const OLDEST_NODE_MAJOR = 18;
const MAX_BUNDLE_BYTES = 16 * 1024 * 1024;

type Runtime = Pick<World, 'architecture' | 'bundlePath' | 'environment' | 'files' | 'nodePath' | 'nodeVersion'>;

/** @param version of this program */
export async function programChecks(world: Runtime, version: string): Promise<readonly Check[]> {
  return [nodeCheck(world), await scriptCheck(world, version), orbCheck(world, version)];
}

function nodeCheck({ architecture, files, nodePath, nodeVersion }: Runtime): Check {
  const node = check('node', 'Node.js');
  const detail = `${nodeVersion} for ${files.platform} on ${architecture}, ${nodePath}`;
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1] ?? 0);
  return major >= OLDEST_NODE_MAJOR
    ? node.pass(detail)
    : node.fail(
        detail,
        `Use Node.js ${OLDEST_NODE_MAJOR} or later; the orb's install command downloads it if it is missing.`,
      );
}

async function scriptCheck({ bundlePath, files }: Runtime, version: string): Promise<Check> {
  const script = check('script', 'machine-id.cjs');
  try {
    const text = await files.readText(bundlePath, { maxBytes: MAX_BUNDLE_BYTES });
    return script.pass(`version ${version}, SHA-256 ${sha256Hex(text)}, ${bundlePath}`);
  } catch {
    return script.warn(`version ${version}, but ${bundlePath} cannot be read`, "Run the orb's install command again.");
  }
}

/** The orb's steps set their version in the environment. */
function orbCheck({ environment }: Runtime, version: string): Check {
  const orb = check('orb', 'Orb');
  const { MACHINE_ID_ORB_VERSION: name = '' } = environment;
  if (name === '') return orb.skipped('not started by the orb');
  if (name === version) return orb.pass(`teleport/machine-id@${name}`);
  return orb.warn(
    `teleport/machine-id@${name} runs a script of version ${version}`,
    'Use the same version of the orb for install and the commands after it.',
  );
}
