/** Puts the sources together: of several that give a setting, the first counts. */
import type { Findings } from './findings.ts';
import type { Setting, Settings } from './settings.ts';
import { nameOf } from './settings.ts';

/** Every setting once; a warning for each that replaces a different one. Addresses are chosen elsewhere. */
export function chooseSettings(layers: readonly Settings[], findings: Findings): Settings {
  const choose = <T>(read: (layer: Settings) => Setting<T> | undefined): Setting<T> | undefined =>
    first(layers.map(read), findings);
  return {
    token: choose((layer) => layer.token),
    joinMethod: choose((layer) => layer.joinMethod),
    caPins: choose((layer) => layer.caPins),
    caPath: choose((layer) => layer.caPath),
    insecure: choose((layer) => layer.insecure),
    fips: choose((layer) => layer.fips),
    scoped: choose((layer) => layer.scoped),
    storage: choose((layer) => layer.storage),
    items: first(layers.map(nonEmptyItems), findings),
    ttlMs: choose((layer) => layer.ttlMs),
    renewalIntervalMs: choose((layer) => layer.renewalIntervalMs),
    leewayMs: choose((layer) => layer.leewayMs),
    oneshot: choose((layer) => layer.oneshot),
    debug: choose((layer) => layer.debug),
    logFormat: choose((layer) => layer.logFormat),
    diagAddr: choose((layer) => layer.diagAddr),
    useProxyAddr: choose((layer) => layer.useProxyAddr),
  };
}

/** The first of the candidates, with a warning for each other that says something else. */
export function first<T>(candidates: readonly (Setting<T> | undefined)[], findings: Findings): Setting<T> | undefined {
  const [winner, ...losers] = candidates.filter((candidate) => candidate !== undefined);
  if (winner === undefined) return undefined;
  for (const loser of losers) {
    if (JSON.stringify(loser.value) === JSON.stringify(winner.value)) continue;
    findings.warn(`${nameOf(winner.origin)} replaces ${nameOf(loser.origin)}`);
  }
  return winner;
}

/** A file without outputs has none that `--destination` could replace. */
function nonEmptyItems({ items }: Settings): Settings['items'] {
  return items !== undefined && items.value.length > 0 ? items : undefined;
}
