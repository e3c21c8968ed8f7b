/**
 * The parameters of `install` that the job `run` passes on. They are not flags of the script, which is not installed yet: the
 * orb's shell scripts and `install_tools` read them.
 */
import { DOCTOR_OPTIONS } from '../../src/commands/doctor/flags.ts';
import { INSTALL_TOOLS } from '../../src/commands/install-tools/flags.ts';
import type { OrbParameter } from '../../src/config/declaration.ts';

interface InstallParameter {
  readonly orb: OrbParameter;
  readonly help: string;
  /** Its description as a parameter of the job. */
  readonly helpOfJob: string;
}

export const INSTALL_PARAMETERS: readonly InstallParameter[] = [
  {
    orb: { name: 'delivery', type: ['download', 'embedded'], default: 'download' },
    help: 'Where the script comes from: a release asset (download), or the orb itself, without any network (embedded; Linux and macOS only). Its SHA-256 must be that of this orb version in either case.',
    helpOfJob: 'Where install gets the script from.',
  },
  {
    orb: { name: 'bundle_path' },
    help: 'Path of a machine-id.cjs that is already on the executor, used instead of delivery. Its SHA-256 must be that of this orb version.',
    helpOfJob: 'Path of a machine-id.cjs that is already on the executor, as for install.',
  },
  {
    orb: { name: 'download_url', default: DOCTOR_OPTIONS.downloadUrl.orb.default },
    help: 'Where to download the script from, an https URL. A name that ends in .gz means that it is compressed. Give your mirror if the executor cannot reach GitHub; the SHA-256 of the script must still be that of this orb version.',
    helpOfJob: 'Where install downloads the script from, an https URL.',
  },
  {
    orb: { name: 'bring_node', type: 'boolean', default: true },
    help: 'Whether to download a Node.js, pinned by version and SHA-256, if the executor has none of version 18 or later. Requires glibc on Linux.',
    helpOfJob: 'Whether install downloads a Node.js if the executor has none of version 18 or later.',
  },
  {
    orb: { name: 'node_mirror', default: DOCTOR_OPTIONS.nodeMirror.orb.default },
    help: 'Where to download that Node.js from, a mirror of nodejs.org/dist.',
    helpOfJob: 'Where to download that Node.js from, a mirror of nodejs.org/dist.',
  },
  {
    orb: { name: 'tools' },
    help: 'Teleport programs to also install, as install_tools does: any of tsh, tctl, tbot, teleport and teleport-update, separated by spaces. Empty means none.',
    helpOfJob: 'Teleport programs to also install, such as tsh and tctl, separated by spaces.',
  },
  {
    orb: { name: 'tools_version', default: INSTALL_TOOLS.version.orb.default },
    help: 'Their version, X.Y.Z. auto asks the cluster.',
    helpOfJob: 'Their version, X.Y.Z. auto asks the cluster.',
  },
];
