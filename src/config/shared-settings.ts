/** The settings that files of both versions give with the same keys. */
import type { FileV1 } from './schema/v1.ts';
import type { FileV2 } from './schema/v2.ts';
import type { Settings } from './settings.ts';
import type { SourceFile } from './source-file.ts';

export function sharedSettings(value: FileV1 | FileV2, file: SourceFile): Settings {
  const { token, join_method: joinMethod, ca_pins: caPins, ca_path: caPath } = value.onboarding;
  return {
    authServer: file.setting(value.auth_server, 'auth_server'),
    token: file.setting(token, 'onboarding', 'token'),
    joinMethod: file.setting(joinMethod, 'onboarding', 'join_method'),
    caPins: file.setting(caPins.length > 0 ? caPins : undefined, 'onboarding', 'ca_pins'),
    caPath: file.setting(caPath, 'onboarding', 'ca_path'),
    renewalIntervalMs: file.setting(value.renewal_interval, 'renewal_interval'),
    oneshot: file.setting(value.oneshot, 'oneshot'),
    fips: file.setting(value.fips, 'fips'),
    debug: file.setting(value.debug, 'debug'),
    diagAddr: file.setting(value.diag_addr, 'diag_addr'),
  };
}
