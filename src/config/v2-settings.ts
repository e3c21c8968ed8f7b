/** The settings of a `version: v2` file. */
import { readJoinUri } from './join-uri.ts';
import type { FileV2 } from './schema/v2.ts';
import { fileV2 } from './schema/v2.ts';
import type { Setting, Settings } from './settings.ts';
import { sharedSettings } from './shared-settings.ts';
import type { SourceFile } from './source-file.ts';

export interface FileLayers {
  readonly layers: readonly Settings[];
  readonly faulty: ReadonlySet<string>;
}

/** Two layers: what `join_uri` says wins over the keys of the same file. */
export function settingsOfV2(file: SourceFile): FileLayers | undefined {
  const { value, faulty } = file.decode(fileV2);
  if (value === undefined) return undefined;
  const items = [...file.place(value.outputs, 'outputs'), ...file.place(value.services, 'services')];
  const own: Settings = {
    ...sharedSettings(value, file),
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
