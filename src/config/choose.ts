/** Combines the sources: if several contain a setting, the first one wins. */
import { isIPv6 } from 'node:net';
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import { unexpandedValue } from '../schema/unexpanded.ts';
import { type Findings, nameOf, type Setting } from './findings.ts';
import type { PlacedItem } from './items.ts';
import type { ClusterAddress } from './plan.ts';
import { eachSetting, type SettingName, type Settings } from './settings.ts';

/** Chosen by `readConfigText` and `chooseAddress`. */
const CHOSEN_ELSEWHERE: readonly SettingName[] = ['config', 'configString', 'proxyServer', 'authServer', 'joinUri'];

/** For each setting, the value of the first layer that has it; warns about other values in later layers. */
export function chooseSettings(layers: readonly Settings[], findings: Findings): Settings {
  return {
    ...eachSetting((name) => {
      if (CHOSEN_ELSEWHERE.includes(name)) return undefined;
      return first(
        layers.map((layer) => layer[name]),
        findings,
      );
    }),
    // Two names of the same setting.
    credentialTtl: first(
      layers.flatMap(({ certificateTtl, credentialTtl }) => [credentialTtl, certificateTtl]),
      findings,
    ),
    certificateTtl: undefined,
  };
}

/** The outputs of the flags, otherwise those of the file. No warning about a file without outputs. */
export function chooseItems(
  candidates: readonly (Setting<readonly PlacedItem[]> | undefined)[],
  findings: Findings,
): Setting<readonly PlacedItem[]> | undefined {
  return first(
    candidates.filter((items) => items !== undefined && items.value.length > 0),
    findings,
  );
}

/** The first of the candidates; warns about others that differ. */
function first<T>(candidates: readonly (Setting<T> | undefined)[], findings: Findings): Setting<T> | undefined {
  const [winner, ...losers] = candidates.filter((candidate) => candidate !== undefined);
  if (winner === undefined) return undefined;
  for (const loser of losers) {
    if (JSON.stringify(loser.value) === JSON.stringify(winner.value)) continue;
    findings.warn(`${nameOf(winner.origin)} replaces ${nameOf(loser.origin)}`);
  }
  return winner;
}

// The address of the cluster.

export interface AddressSources {
  readonly flags: readonly Settings[];
  readonly environment: Settings;
  /** Whether an earlier run exported the variables, for Teleport's clients. */
  readonly environmentExported: boolean;
  readonly file: readonly Settings[];
}

type Candidate = Setting<{ readonly kind: ClusterAddress['kind']; readonly text: string }>;

/** `undefined` if no source gives an address. */
export function chooseAddress(sources: AddressSources, findings: Findings): Candidate | undefined {
  const { flags, environment, environmentExported, file } = sources;
  const given = [...flags, environment, ...file].map((layer) => candidateOf(layer, layer !== environment, findings));
  if (!environmentExported) return first(given, findings);
  // They have the lowest precedence: otherwise a second run with another file would join the cluster of the first.
  const exported = given[flags.length];
  return (
    first(
      given.filter((candidate) => candidate !== exported),
      findings,
    ) ?? exported
  );
}

/** The address in one source. In flags and files, both names together are a mistake; an environment often has both. */
function candidateOf(layer: Settings, refuseBoth: boolean, findings: Findings): Candidate | undefined {
  const { proxyServer, authServer } = layer;
  if (proxyServer !== undefined && authServer !== undefined && refuseBoth) {
    findings.addProblem(
      authServer.origin,
      `is set in addition to ${nameOf(proxyServer.origin)}; keep only the Proxy's address`,
    );
  }
  if (proxyServer !== undefined)
    return { value: { kind: 'proxy', text: proxyServer.value }, origin: proxyServer.origin };
  if (authServer !== undefined) return { value: { kind: 'auth', text: authServer.value }, origin: authServer.origin };
  return undefined;
}

/** `undefined` after a problem. */
export function readAddress(
  { value: { kind, text }, origin }: Candidate,
  findings: Findings,
): ClusterAddress | undefined {
  const address = readGivenAddress(text);
  if (typeof address === 'string') {
    findings.addProblem(origin, address);
    return undefined;
  }
  const value = formatAddress(address);
  if (!address.portGiven) findings.warn(`${nameOf(origin)} has no port; using ${value}`);
  return { kind, value, host: address.host, port: address.port, origin: origin.label };
}

interface GivenAddress extends Address {
  /** Whether the text contains the port. */
  readonly portGiven: boolean;
}

/** The port of a Proxy with TLS routing. */
const DEFAULT_PORT = 443;

/** Reads `host:port`, `host` or `[IPv6]:port`. A string is the error message for an invalid `text`. */
export function readGivenAddress(text: string): GivenAddress | string {
  const unexpanded = unexpandedValue(text);
  if (unexpanded !== undefined) return unexpanded;
  const address = parseAddress(text, DEFAULT_PORT);
  return address === undefined ? explain(text) : { ...address, portGiven: /:\d+$/.test(text) };
}

function explain(text: string): string {
  const correction = suggest(text);
  const advice = correction === undefined ? '' : `; write ${correction}`;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return `"${text}" must be host:port without a scheme${advice}`;
  if (isIPv6(text)) return `"${text}" must have its IPv6 address in brackets${advice}`;
  return `"${text}" is not an address of the form host:port${advice}`;
}

/** The address that was probably meant: without scheme, user, path or spaces. */
function suggest(text: string): string | undefined {
  const core = text
    .trim()
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
    .replace(/[/?#].*$/s, '')
    .replace(/^.*@/s, '');
  const found = parseAddress(isIPv6(core) ? `[${core}]` : core, DEFAULT_PORT);
  return found === undefined ? undefined : formatAddress(found);
}
