/** Reads the text of a configuration file into settings. */
import type { Problem } from '../errors.ts';
import { literalWildcard } from '../schema/common.ts';
import { ITEM_OF_V2 } from '../schema/other-names.ts';
import { unexpandedValue } from '../schema/unexpanded.ts';
import { readYaml } from '../schema/yaml/document.ts';
import { describe, isList, isMapping, type Mapping, Scalar, valueAt, type YamlValue } from '../schema/yaml/tree.ts';
import { fileV1, type FileV1 } from './file-v1.ts';
import { type FileV2, fileV2 } from './file-v2.ts';
import { readJoinUri, unexpandedToken } from './join-token.ts';
import { NOT_TBOT, otherFile, otherText, unrenderedProblems } from './not-tbot-yaml.ts';
import type { Findings, Setting, Settings } from './settings.ts';
import { originIn, SourceFile } from './source.ts';

interface FileSettings {
  /** Places that nothing reads and that hold what was meant to be written. */
  readonly misplaced: readonly Problem[];
  /** The first that gives a setting counts. */
  readonly layers: readonly Settings[];
  /** Top-level keys with a problem, so that what they would have said is not missed on top; `all` if nothing was read. */
  readonly invalidKeys: ReadonlySet<string> | 'all';
}

const NOTHING: FileSettings = { layers: [], invalidKeys: 'all', misplaced: [] };

/** `name` is how messages name the file. What is wrong with it goes to `findings`; no text is wrong already. */
export function readFileSettings(text: string | undefined, name: string, findings: Findings): FileSettings {
  if (text === undefined) return NOTHING;
  const other = otherText(text);
  if (other !== undefined) {
    findings.addProblem(originIn(name, 'document', 1), `looks like ${other.looksLike} ${NOT_TBOT}`);
    return NOTHING;
  }
  const document = readYaml(text);
  if ('problems' in document) {
    const unrendered = unrenderedProblems(text);
    for (const { path, line, message } of unrendered.length > 0 ? unrendered : document.problems) {
      findings.addProblem(originIn(name, path, line), message);
    }
    return NOTHING;
  }
  const file = new SourceFile(document, name, findings);
  const read = readKnownFile(file);
  if (read === undefined) return NOTHING;
  const message = 'another YAML document begins here, and only the first is read: put all settings into one';
  const later = document.laterLines.map((line) => ({ path: 'document', line, message }));
  return { ...read, misplaced: [...file.misplaced, ...later] };
}

function readKnownFile(file: SourceFile): FileLayers | undefined {
  const other = otherFile(file.root);
  if (other === undefined) return readVersion(file);
  const { key = 'document', looksLike } = other;
  file.findings.addProblem(file.origin(key), `the file looks like ${looksLike} ${NOT_TBOT}`);
  return undefined;
}

/** A file that names no version is of version v1, as it was for tbot when v2 came. */
function readVersion(file: SourceFile): FileLayers | undefined {
  const version = file.root.get('version');
  if (version !== undefined && !(version instanceof Scalar)) {
    file.findings.addProblem(file.origin('version'), `cannot unmarshal ${describe(version)} into string`);
    return undefined;
  }
  switch (version?.text ?? '') {
    case 'v2':
      return settingsOfV2(file);
    case 'v1':
    case '':
      return settingsOfV1(file);
    default:
      file.findings.addProblem(
        file.origin('version'),
        unexpandedValue(version?.text ?? '') ??
          `unrecognized config version "${version?.text ?? ''}"; tbot has v1 and v2: write "version: v2"`,
      );
      return undefined;
  }
}

// The settings of a v1 file, as its migration to v2 would have them.

function settingsOfV1(file: SourceFile): FileLayers | undefined {
  const newer = ['outputs', 'services', 'proxy_server'].find((key) => hasValue(file, key));
  if (newer !== undefined) {
    const message = `config has been detected as potentially v1, but includes the v2 ${newer} field`;
    file.findings.addProblem(file.origin(newer), `${message}; write "version: v2" at the top of the file`);
    return undefined;
  }
  const { value, invalidKeys } = file.decode(fileV1);
  if (value === undefined) return undefined;
  file.findings.warn(
    `Deprecated config version (V1) detected in ${file.name}; it is read as version v2, and should be rewritten as that`,
  );
  const own: Settings = {
    ...sharedSettings(value, file, invalidKeys),
    storage: file.setting(value.storage, 'storage'),
    items: file.setting(file.locate(value.destinations, 'destinations'), 'destinations'),
    ttlMs: file.setting(value.certificate_ttl, 'certificate_ttl'),
  };
  return { layers: [own], invalidKeys };
}

/** Whether `key` is there with something in it. */
function hasValue(file: SourceFile, key: string): boolean {
  const value = file.root.get(key);
  return value !== undefined && !(isList(value) && value.length === 0);
}

// The settings of a `version: v2` file.

interface FileLayers {
  readonly layers: readonly Settings[];
  readonly invalidKeys: ReadonlySet<string>;
}

/** Two layers: what `join_uri` says wins over the keys of the same file. */
function settingsOfV2(file: SourceFile): FileLayers | undefined {
  const { value, invalidKeys } = file.decode(fileV2);
  if (value === undefined) return undefined;
  noteFormerDestinations(file);
  warnOfLiteralWildcards(file);
  const items = [...file.locate(value.outputs, 'outputs'), ...file.locate(value.services, 'services')];
  const own: Settings = {
    ...sharedSettings(value, file, invalidKeys),
    proxyServer: file.setting(value.proxy_server, 'proxy_server'),
    storage: file.setting(value.storage, 'storage'),
    items: file.setting(items, value.outputs.length > 0 ? 'outputs' : 'services'),
    ttlMs: ttlOf(value, file),
    leewayMs: file.setting(value.leeway, 'leeway'),
    insecure: file.setting(value.insecure, 'insecure'),
    scoped: file.setting(value.scoped, 'scoped'),
  };
  return { layers: [readJoinUri(value.join_uri, file.origin('join_uri'), file.findings), own], invalidKeys };
}

/** The list of version v1 has been noted as a whole; what each of its items is called today follows. */
function noteFormerDestinations(file: SourceFile): void {
  const destinations = file.root.get('destinations');
  for (const [index, item] of isList(destinations) ? destinations.entries() : []) {
    for (const key of isMapping(item) ? item.keys() : []) {
      const advice = Object.hasOwn(ITEM_OF_V2, key) ? ITEM_OF_V2[key] : undefined;
      if (advice !== undefined) file.noteMisplaced(advice.replace(/^: it /, ''), 'destinations', index, key);
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

// The settings that files of both versions give with the same keys.

function sharedSettings(value: FileV1 | FileV2, file: SourceFile, invalidKeys: ReadonlySet<string>): Settings {
  if (invalidKeys.has('onboarding')) refuseToken(file);
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

/** Beside a problem of its section a token is not read, and would be looked at only once that one is corrected. */
function refuseToken(file: SourceFile): void {
  const token = valueAt(file.root, ['onboarding', 'token']);
  const refusal = token instanceof Scalar ? unexpandedToken(token.text) : undefined;
  if (refusal !== undefined) file.findings.addProblem(file.origin('onboarding', 'token'), refusal);
}
