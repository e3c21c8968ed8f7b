/** For which systems Teleport is released, in the words of its file names. */
import type { Tool } from './tool.ts';

export interface Platform {
  readonly system: 'linux' | 'darwin' | 'windows';
  readonly architecture: 'amd64' | 'arm64' | 'arm' | '386';
}

const SYSTEMS: ReadonlyMap<string, Platform['system']> = new Map([
  ['linux', 'linux'],
  ['darwin', 'darwin'],
  ['win32', 'windows'],
]);

const ARCHITECTURES: ReadonlyMap<string, Platform['architecture']> = new Map([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
  ['arm', 'arm'],
  ['ia32', '386'],
]);

/**
 * @param nodePlatform as `process.platform` has it
 * @param nodeArchitecture as `process.arch` has it
 * @returns undefined when Teleport is not released for it
 */
export function platformOf(nodePlatform: string, nodeArchitecture: string): Platform | undefined {
  const system = SYSTEMS.get(nodePlatform);
  const architecture = ARCHITECTURES.get(nodeArchitecture);
  if (system === undefined || architecture === undefined) return undefined;
  switch (system) {
    case 'linux':
      return { system, architecture };
    case 'darwin':
      return architecture === 'amd64' || architecture === 'arm64' ? { system, architecture } : undefined;
    case 'windows':
      // Windows on ARM runs programs of the other kind; there is no other release.
      return architecture === 'amd64' || architecture === 'arm64' ? { system, architecture: 'amd64' } : undefined;
    default:
      return system satisfies never;
  }
}

/** Servers are not released for Windows, and `teleport-update` serves systemd. */
export function isReleasedFor(tool: Tool, { system }: Platform): boolean {
  switch (system) {
    case 'linux':
      return true;
    case 'darwin':
      return tool !== 'teleport-update';
    case 'windows':
      return tool === 'tsh' || tool === 'tctl' || tool === 'tbot';
    default:
      return system satisfies never;
  }
}
