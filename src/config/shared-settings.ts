/** The settings that files of both versions give with the same keys. */
import type { FileV1 } from './schema/v1.ts';
import type { FileV2 } from './schema/v2.ts';
import type { Settings } from './settings.ts';
import { unexpandedToken } from './join-token.ts';
import type { SourceFile } from './source-file.ts';
import { Scalar } from './yaml/scalar.ts';
import { valueAt } from './yaml/tree.ts';

export function sharedSettings(value: FileV1 | FileV2, file: SourceFile, faulty: ReadonlySet<string>): Settings {
  if (faulty.has('onboarding')) refuseToken(file);
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

/** Beside a fault of its section a token is not read, and would be looked at only once that one is corrected. */
function refuseToken(file: SourceFile): void {
  const token = valueAt(file.root, ['onboarding', 'token']);
  const refusal = token instanceof Scalar ? unexpandedToken(token.text) : undefined;
  if (refusal !== undefined) file.findings.refuse(file.origin('onboarding', 'token'), refusal);
}
