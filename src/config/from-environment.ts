/** Reads the environment variables that tbot knows into settings. */
import { type Findings, named, type Setting, setting, type Settings } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSettings {
  readonly settings: Settings;
  /** Whether the addresses were exported by an earlier run of this program in the same job, for Teleport's clients. */
  readonly addressesExported: boolean;
}

export function readEnvironment(environment: Environment, findings: Findings): EnvironmentSettings {
  const text = (name: string): Setting<string> | undefined => setting(given(environment, name), named(name));
  return {
    settings: {
      proxyServer: text('TELEPORT_PROXY'),
      authServer: text('TELEPORT_AUTH_SERVER'),
      token: text('TELEPORT_BOT_TOKEN'),
      debug: readDebug(given(environment, 'TBOT_DEBUG'), findings),
      useProxyAddr: readUseProxyAddr(given(environment, 'TBOT_USE_PROXY_ADDR'), findings),
    },
    addressesExported: ['MACHINE_ID_DESTINATION', 'MACHINE_ID_EXPIRES_AT'].some(
      (name) => given(environment, name) !== undefined,
    ),
  };
}

/** An empty variable is as good as none. */
export function given(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

/** The words of Go's `strconv.ParseBool`. */
function readDebug(value: string | undefined, findings: Findings): Setting<boolean> | undefined {
  if (value === undefined) return undefined;
  const origin = named('TBOT_DEBUG');
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return { value: true, origin };
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return { value: false, origin };
  findings.addProblem(origin, `"${value}" is neither true nor false`);
  return undefined;
}

/** tbot turns this on for the one word "yes" and ignores every other, which surprises. */
function readUseProxyAddr(value: string | undefined, findings: Findings): Setting<boolean> | undefined {
  if (value === undefined) return undefined;
  if (value !== 'yes') findings.warn(`TBOT_USE_PROXY_ADDR is "${value}" and so without effect; only "yes" turns it on`);
  return { value: value === 'yes', origin: named('TBOT_USE_PROXY_ADDR') };
}
