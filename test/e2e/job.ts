/** The directories and the environment in which a test runs the bundle, like a CircleCI job. */
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { type BundleOptions, runBundle, startBundle, type BundleRun, type StartedBundle } from './run-bundle.ts';

export interface RunChanges {
  /** Added to the job's own variables; undefined removes one. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly secrets?: readonly string[];
  readonly outputs?: NonNullable<BundleOptions['outputs']>;
  readonly withoutPrivileges?: boolean;
  readonly within?: BundleOptions['within'];
  readonly asProcess?: boolean;
}

export interface Job {
  readonly folder: string;
  readonly checkout: string;
  readonly bashEnv: string;
  /** A directory outside the checkout that does not exist yet. */
  readonly destination: string;
  /** All variables of the job. */
  readonly environment: Readonly<Record<string, string>>;
  /** The flags to join and to write an identity output to the destination. */
  readonly flags: readonly string[];
  run(args: readonly string[], changes?: RunChanges): Promise<BundleRun>;
  start(args: readonly string[], changes?: RunChanges): StartedBundle;
  /** Writes a file into the checkout and resolves with its path. */
  addFile(name: string, text: string): Promise<string>;
  /** Puts a shell script on the job's PATH. */
  addProgram(name: string, script: string): Promise<void>;
}

/** A test, or all tests of a file. */
interface JobOwner {
  readonly after: (work: () => Promise<void>) => void;
}

/** A new job with a fresh OIDC token; clears what the cluster has recorded. */
export async function beginJob(context: JobOwner, cluster: Cluster): Promise<Job> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'e2e-job-')));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const [checkout, programs] = [join(folder, 'project'), join(folder, 'bin')];
  await Promise.all([mkdir(checkout), mkdir(programs)]);
  const bashEnv = join(folder, 'bash_env');
  const destination = join(folder, 'identity');
  const { proxy, joinToken, webCa, organizationId } = cluster.info;
  const base = {
    PATH: `${programs}:/usr/bin:/bin`,
    HOME: folder,
    // Files that other runs on this machine left in the shared directory do not belong to this job.
    TMPDIR: folder,
    CIRCLECI: 'true',
    CIRCLE_ORGANIZATION_ID: organizationId,
    CIRCLE_OIDC_TOKEN: await cluster.mint(),
    BASH_ENV: bashEnv,
    SSL_CERT_FILE: webCa,
  };
  cluster.records.clear();
  const options = ({ environment = {}, secrets = [], ...changes }: RunChanges = {}) => ({
    ...changes,
    workingDirectory: checkout,
    environment: withoutUndefined({ ...base, ...environment }),
    secrets: [base.CIRCLE_OIDC_TOKEN, ...secrets],
  });
  return {
    folder,
    checkout,
    bashEnv,
    destination,
    environment: base,
    flags: ['run', '--proxy-server', proxy, '--token', joinToken, '--destination', destination],
    run: (args, changes) => runBundle(args, options(changes)),
    start: (args, changes) => startBundle(args, options(changes)),
    addFile: async (name, text) => {
      const path = join(checkout, name);
      await writeFile(path, text);
      return path;
    },
    addProgram: async (name, script) => {
      const path = join(programs, name);
      await writeFile(path, `#!/bin/sh\n${script}\n`);
      await chmod(path, 0o755);
    },
  };
}

function withoutUndefined(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
