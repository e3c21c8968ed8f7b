/** The settings of a v1 file, as its migration to v2 would have them. */
import { fileV1 } from './schema/v1.ts';
import type { Settings } from './settings.ts';
import { sharedSettings } from './shared-settings.ts';
import type { SourceFile } from './source-file.ts';
import type { FileLayers } from './v2-settings.ts';
import { isList } from './yaml/tree.ts';

export function settingsOfV1(file: SourceFile): FileLayers | undefined {
  const newer = ['outputs', 'services', 'proxy_server'].find((key) => says(file, key));
  if (newer !== undefined) {
    const message = `config has been detected as potentially v1, but includes the v2 ${newer} field`;
    file.findings.refuse(file.origin(newer), `${message}; write "version: v2" at the top of the file`);
    return undefined;
  }
  const { value, faulty } = file.decode(fileV1);
  if (value === undefined) return undefined;
  file.findings.warn(
    `Deprecated config version (V1) detected in ${file.name}; it is read as version v2, and should be rewritten as that`,
  );
  const own: Settings = {
    ...sharedSettings(value, file, faulty),
    storage: file.setting(value.storage, 'storage'),
    items: file.setting(file.place(value.destinations, 'destinations'), 'destinations'),
    ttlMs: file.setting(value.certificate_ttl, 'certificate_ttl'),
  };
  return { layers: [own], faulty };
}

/** Whether `key` is there with something in it. */
function says(file: SourceFile, key: string): boolean {
  const value = file.root.get(key);
  return value !== undefined && !(isList(value) && value.length === 0);
}
