/** Reads the command line's flags into settings. */
import type { Destination } from '../outputs/destination.ts';
import { refuseCaPin } from './ca-pin.ts';
import { readDestinationUri } from './destination-uri.ts';
import { durationAdvice, parseDuration } from './duration.ts';
import type { Findings } from './findings.ts';
import { readFlagOutputs } from './flag-outputs.ts';
import type { RunFlags } from './flags.ts';
import { readJoinUri } from './join-uri.ts';
import type { Setting, Settings } from './settings.ts';
import { named, setting } from './settings.ts';
import { unexpandedPath, unexpandedValue } from './unexpanded.ts';

/** Two layers: what the flags say one by one, and below it what `--join-uri` says. */
export function readFlags(flags: RunFlags, findings: Findings): readonly Settings[] {
  const own: Settings = {
    proxyServer: text(flags.proxyServer, '--proxy-server'),
    authServer: text(flags.authServer, '--auth-server'),
    token: text(flags.token, '--token'),
    joinMethod: text(flags.joinMethod, '--join-method'),
    caPins: readCaPins(flags.caPins, findings),
    caPath: refuseBy(unexpandedPath, text(flags.caPath, '--ca-path'), findings),
    insecure: setting(flags.insecure, named('--insecure')),
    fips: setting(flags.fips, named('--fips')),
    scoped: setting(flags.scoped, named('--scoped')),
    storage: readDestination(flags.storage, '--storage', findings),
    items: readFlagOutputs(flags, readDestination(flags.destination, '--destination', findings), findings),
    ttlMs: readTtl(flags, findings),
    renewalIntervalMs: readDuration(flags.renewalInterval, '--renewal-interval', findings),
    oneshot: setting(flags.oneshot, named('--oneshot')),
    debug: setting(flags.debug, named('--debug')),
    logFormat: readLogFormat(flags.logFormat, findings),
    diagAddr: refuseBy(unexpandedValue, text(flags.diagAddr, '--diag-addr'), findings),
  };
  return [own, readJoinUri(given(flags.joinUri), named('--join-uri'), findings)];
}

function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function text(value: string | undefined, name: string): Setting<string> | undefined {
  return setting(given(value), named(name));
}

function refuseBy(
  rule: (value: string) => string | undefined,
  given: Setting<string> | undefined,
  findings: Findings,
): Setting<string> | undefined {
  const refusal = given === undefined ? undefined : rule(given.value);
  if (given !== undefined && refusal !== undefined) findings.refuse(given.origin, refusal);
  return given;
}

function readCaPins(pins: readonly string[] | undefined, findings: Findings): Setting<readonly string[]> | undefined {
  const found = (pins ?? []).filter((pin) => pin !== '');
  if (found.length === 0) return undefined;
  for (const pin of found) {
    const refusal = refuseCaPin(pin);
    if (refusal !== undefined) findings.refuse(named('--ca-pin'), refusal);
  }
  return { value: found.map((pin) => pin.toLowerCase()), origin: named('--ca-pin') };
}

function readDestination(
  value: string | undefined,
  name: string,
  findings: Findings,
): Setting<Destination> | undefined {
  if (value === undefined || value === '') return undefined;
  const destination = readDestinationUri(value);
  if (typeof destination !== 'string') return { value: destination, origin: named(name) };
  findings.refuse(named(name), destination);
  return undefined;
}

function readTtl(flags: RunFlags, findings: Findings): Setting<number> | undefined {
  const credential = readDuration(flags.credentialTtl, '--credential-ttl', findings);
  const certificate = readDuration(flags.certificateTtl, '--certificate-ttl', findings);
  if (credential !== undefined && certificate !== undefined && credential.value !== certificate.value) {
    findings.warn('--credential-ttl wins over --certificate-ttl; they are two names of one setting');
  }
  return credential ?? certificate;
}

/** Zero means the default, as in the file. */
function readDuration(value: string | undefined, name: string, findings: Findings): Setting<number> | undefined {
  if (value === undefined || value === '') return undefined;
  const durationMs = parseDuration(value);
  if (durationMs === undefined) {
    const kind = `"${value}" is not a duration; ${durationAdvice(value)}`;
    findings.refuse(named(name), unexpandedValue(value) ?? kind);
  }
  return setting(durationMs === 0 ? undefined : durationMs, named(name));
}

function readLogFormat(value: string | undefined, findings: Findings): Setting<'text' | 'json'> | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'text' || value === 'json') return { value, origin: named('--log-format') };
  findings.refuse(named('--log-format'), `"${value}" is not a log format; it is one of text, json`);
  return undefined;
}
