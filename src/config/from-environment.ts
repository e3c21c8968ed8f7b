/** Reads the environment variables that tbot reads. */
import { type Findings, named, setting } from './findings.ts';
import { eachSetting, type Settings } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSettings {
  readonly settings: Settings;
  /** Whether an earlier run in the same job exported the addresses, for Teleport's own clients. */
  readonly addressesExported: boolean;
}

export function readEnvironment(environment: Environment, findings: Findings): EnvironmentSettings {
  return {
    settings: eachSetting((_, { env, read }) => {
      const text = env === undefined ? undefined : environment[env];
      // An empty variable counts as not set.
      if (env === undefined || text === undefined || text === '') return undefined;
      return setting(read.fromVariable(text, findings.reportOn(env)), named(env));
    }),
    addressesExported: ['MACHINE_ID_DESTINATION', 'MACHINE_ID_EXPIRES_AT'].some(
      (name) => (environment[name] ?? '') !== '',
    ),
  };
}
