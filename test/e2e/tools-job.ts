/** A job without a cluster that installs Teleport's programs with the bundle. */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { tarGz } from '../commands/install-tools/tar-archive.ts';
import type { ReleaseServer } from './release-server.ts';
import { type BundleRun, runBundle, startBundle, type StartedBundle } from './run-bundle.ts';

export const VERSION = '18.2.4';
export const ARCHITECTURE = arch() === 'arm64' ? 'arm64' : 'amd64';
export const ARCHIVE = `teleport-v${VERSION}-linux-${ARCHITECTURE}-bin.tar.gz`;
export const RELEASE = `${VERSION}-oss-linux-${ARCHITECTURE}`;

export interface ToolsJob {
  readonly home: string;
  readonly bashEnv: string;
  /** The default directory of the programs. */
  readonly tools: string;
  /** The program's folder in the usual release. */
  readonly bin: string;
  install(flags: readonly string[], environment?: Readonly<Record<string, string>>): Promise<BundleRun>;
  start(flags: readonly string[]): StartedBundle;
}

/** Knows the server from environment variables. */
export async function beginToolsJob(context: TestContext, server: ReleaseServer): Promise<ToolsJob> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'e2e-tools-')));
  context.after(() => rm(home, { recursive: true, force: true }));
  const bashEnv = join(home, 'bash_env');
  const tools = join(home, '.teleport-machine-id/tools');
  const options = (environment: Readonly<Record<string, string>> = {}) => ({
    workingDirectory: home,
    environment: {
      PATH: '/usr/bin:/bin',
      HOME: home,
      BASH_ENV: bashEnv,
      SSL_CERT_FILE: server.trust.SSL_CERT_FILE ?? '',
      TELEPORT_CDN_BASE_URL: server.url,
      ...environment,
    },
  });
  return {
    home,
    bashEnv,
    tools,
    bin: join(tools, RELEASE, 'bin'),
    install: (flags, environment) => runBundle(['install-tools', ...flags], options(environment)),
    start: (flags) => startBundle(['install-tools', ...flags], options()),
  };
}

/** A program that prints its name, of any size: a shell never reads what follows `exit`. */
export function program(name: string, padding: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(`#!/bin/sh\necho "${name} \${TELEPORT_TOOLS_VERSION-}"\nexit\n`), padding]);
}

/** An archive with the same layout as Teleport's. */
export function archiveOf(names: readonly string[], padding?: Uint8Array, folder = 'teleport'): Buffer {
  return tarGz([
    { path: `${folder}/`, type: '5' },
    { path: `${folder}/README.md`, contents: 'Teleport' },
    ...names.map((name) => ({ path: `${folder}/${name}`, contents: program(name, padding) })),
  ]);
}
