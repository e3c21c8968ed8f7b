/** The settings of a `version: v2` file. */
import { readJoinUri } from './join-uri.ts';
import { ITEM_OF_V2 } from './schema/other-names.ts';
import type { FileV2 } from './schema/v2.ts';
import { fileV2 } from './schema/v2.ts';
import type { Setting, Settings } from './settings.ts';
import { sharedSettings } from './shared-settings.ts';
import type { SourceFile } from './source-file.ts';
import { literalWildcard } from './wildcards.ts';
import { Scalar } from './yaml/scalar.ts';
import { isList, isMapping, type Mapping, type YamlValue } from './yaml/tree.ts';

export interface FileLayers {
  readonly layers: readonly Settings[];
  readonly faulty: ReadonlySet<string>;
}

/** Two layers: what `join_uri` says wins over the keys of the same file. */
export function settingsOfV2(file: SourceFile): FileLayers | undefined {
  const { value, faulty } = file.decode(fileV2);
  if (value === undefined) return undefined;
  noteFormerDestinations(file);
  warnOfLiteralWildcards(file);
  const items = [...file.place(value.outputs, 'outputs'), ...file.place(value.services, 'services')];
  const own: Settings = {
    ...sharedSettings(value, file, faulty),
    proxyServer: file.setting(value.proxy_server, 'proxy_server'),
    storage: file.setting(value.storage, 'storage'),
    items: file.setting(items, value.outputs.length > 0 ? 'outputs' : 'services'),
    ttlMs: ttlOf(value, file),
    leewayMs: file.setting(value.leeway, 'leeway'),
    insecure: file.setting(value.insecure, 'insecure'),
    scoped: file.setting(value.scoped, 'scoped'),
  };
  return { layers: [readJoinUri(value.join_uri, file.origin('join_uri'), file.findings), own], faulty };
}

/** The list of version v1 has been noted as a whole; what each of its items is called today follows. */
function noteFormerDestinations(file: SourceFile): void {
  const destinations = file.root.get('destinations');
  for (const [index, item] of isList(destinations) ? destinations.entries() : []) {
    for (const key of isMapping(item) ? item.keys() : []) {
      const advice = Object.hasOwn(ITEM_OF_V2, key) ? ITEM_OF_V2[key] : undefined;
      if (advice !== undefined) file.stray(advice.replace(/^: it /, ''), 'destinations', index, key);
    }
  }
}

/** A cluster may have such labels all the same. */
function warnOfLiteralWildcards(file: SourceFile): void {
  for (const key of ['outputs', 'services']) {
    for (const [index, item] of itemsOf(file.root.get(key)).entries()) {
      for (const [at, selector] of itemsOf(item?.get('selectors')).entries()) {
        const labels = selector?.get('labels');
        for (const [name, value] of isMapping(labels) ? labels : []) {
          const message = literalWildcard(name, value instanceof Scalar ? value.text : '');
          const origin = file.origin(key, index, 'selectors', at, 'labels', name);
          if (message !== undefined) file.findings.warnAt(origin, message);
        }
      }
    }
  }
}

function itemsOf(value: YamlValue | undefined): readonly (Mapping | undefined)[] {
  return isList(value) ? value.map((item) => (isMapping(item) ? item : undefined)) : [];
}

/** `certificate_ttl` is the older name of `credential_ttl`. */
function ttlOf(
  { credential_ttl: credential, certificate_ttl: certificate }: FileV2,
  file: SourceFile,
): Setting<number> | undefined {
  if (credential === undefined) return file.setting(certificate, 'certificate_ttl');
  if (certificate !== undefined && certificate !== credential) {
    const { label } = file.origin('certificate_ttl');
    file.findings.warn(`${label}: certificate_ttl is ignored, as credential_ttl is given too and differs`);
  }
  return file.setting(credential, 'credential_ttl');
}
