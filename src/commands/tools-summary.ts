/** What `install-tools` prints at its end. */
import { join } from 'node:path';
import type { Installation, InstallRequest } from '../tools/install.ts';

export function toolsText({ release, tools }: InstallRequest, { binDirectory, source }: Installation): string {
  const { version, edition, fips, platform } = release;
  const build = [edition, ...(fips ? ['FIPS'] : []), platform.system, platform.architecture].join(', ');
  const done = source === 'download' ? 'Installed' : 'Installed already';
  return `${done}: ${tools.join(', ')} of Teleport ${version} (${build})\n  ${binDirectory}\n`;
}

export function toolsJson(
  { release, tools }: InstallRequest,
  { binDirectory, source, archiveUrl, archiveSha256 }: Installation,
): string {
  const { version, edition, fips, platform } = release;
  const suffix = platform.system === 'windows' ? '.exe' : '';
  return `${JSON.stringify({
    version,
    edition,
    fips,
    platform: `${platform.system}-${platform.architecture}`,
    source,
    archive: archiveUrl.pathname.split('/').at(-1),
    sha256: archiveSha256,
    directory: binDirectory,
    tools: Object.fromEntries(tools.map((tool) => [tool, join(binDirectory, `${tool}${suffix}`)])),
  })}\n`;
}
