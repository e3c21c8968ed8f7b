/** Checks settings that say something together. */
import type { Findings } from './findings.ts';
import { refuseJoinMethod } from './join-method.ts';
import type { Settings } from './settings.ts';
import { nameOf } from './settings.ts';

/** Auth refuses a longer life of a bot's certificates whatever its roles allow. */
const LONGEST_TTL_MS = 7 * 24 * 60 * 60 * 1000;

export function checkSettings(settings: Settings, findings: Findings): void {
  checkJoinMethod(settings, findings);
  checkTrust(settings, findings);
  checkLifetimes(settings, findings);
  if (settings.fips?.value === true) {
    findings.warn(`${nameOf(settings.fips.origin)} is on, but whether cryptography is FIPS-validated is up to Node`);
  }
}

function checkJoinMethod({ joinMethod }: Settings, findings: Findings): void {
  const refusal = joinMethod === undefined ? undefined : refuseJoinMethod(joinMethod.value);
  if (joinMethod !== undefined && refusal !== undefined) findings.refuse(joinMethod.origin, refusal);
}

/** Each of the three says whom to trust on the first connection. */
function checkTrust({ insecure, caPins, caPath }: Settings, findings: Findings): void {
  if (insecure?.value === true) {
    if (caPins !== undefined) findings.refuse(caPins.origin, 'the option ca-pin is mutually exclusive with --insecure');
    if (caPath !== undefined)
      findings.refuse(caPath.origin, 'the option ca-path is mutually exclusive with --insecure');
  }
  if (caPins !== undefined && caPath !== undefined) {
    findings.refuse(caPath.origin, 'the options ca-pin and ca-path are mutually exclusive');
  }
}

function checkLifetimes({ ttlMs, renewalIntervalMs, leewayMs }: Settings, findings: Findings): void {
  for (const duration of [ttlMs, renewalIntervalMs, leewayMs]) {
    if (duration !== undefined && duration.value < 0) findings.refuse(duration.origin, 'must be positive');
  }
  if (ttlMs !== undefined && ttlMs.value > LONGEST_TTL_MS) {
    findings.warn(`${nameOf(ttlMs.origin)} exceeds the maximum TTL of 7 days (168h); the cluster will shorten it`);
  }
}
