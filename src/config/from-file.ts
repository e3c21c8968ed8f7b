/** Reads the text of a configuration file into settings. */
import type { Problem } from '../errors.ts';
import { literalWildcard } from '../schema/common.ts';
import { ITEM_OF_V2 } from '../schema/other-names.ts';
import { unexpandedValue } from '../schema/unexpanded.ts';
import { readYaml } from '../schema/yaml/document.ts';
import { describe, isList, isMapping, type Mapping, Scalar, valueAt, type YamlValue } from '../schema/yaml/tree.ts';
import { fileV1 } from './file-v1.ts';
import { fileV2 } from './file-v2.ts';
import type { Findings, Setting } from './findings.ts';
import type { PlacedItem } from './items.ts';
import { readJoinUri, unexpandedToken } from './join-token.ts';
import { NOT_TBOT, otherFile, otherText, unrenderedProblems } from './not-tbot-yaml.ts';
import { eachSetting, type Settings } from './settings.ts';
import { originIn, SourceFile } from './source.ts';

interface FileLayers {
  /** The first one that contains a setting wins. */
  readonly layers: readonly Settings[];
  /** Outputs and services. */
  readonly items: Setting<readonly PlacedItem[]> | undefined;
  /** Top-level keys with a problem, whose settings are not reported as missing too; `all` if nothing was read. */
  readonly invalidKeys: ReadonlySet<string> | 'all';
}

interface FileSettings extends FileLayers {
  /** Ignored places that contain outputs. */
  readonly misplaced: readonly Problem[];
}

const NOTHING: FileSettings = { layers: [], items: undefined, invalidKeys: 'all', misplaced: [] };

/**
 * @param text `undefined` after a problem
 * @param name of the file, in messages
 */
export function readFileSettings(text: string | undefined, name: string, findings: Findings): FileSettings {
  if (text === undefined) return NOTHING;
  const other = otherText(text);
  if (other !== undefined) {
    findings.addProblem(originIn(name, 'document', 1), `looks like ${other.looksLike}, ${NOT_TBOT}`);
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
  const message = 'another YAML document begins here, but only the first is read: put all settings into one document';
  const later = document.laterLines.map((line) => ({ path: 'document', line, message }));
  return { ...read, misplaced: [...file.misplaced, ...later] };
}

function readKnownFile(file: SourceFile): FileLayers | undefined {
  const other = otherFile(file.root);
  if (other === undefined) return readVersion(file);
  const { key = 'document', looksLike } = other;
  file.findings.addProblem(file.origin(key), `the file looks like ${looksLike}, ${NOT_TBOT}`);
  return undefined;
}

/** A file without a version has version v1, as for tbot. */
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

// Version v1, read as tbot's migration to v2 reads it.

function settingsOfV1(file: SourceFile): FileLayers | undefined {
  const newer = ['outputs', 'services', 'proxy_server'].find((key) => hasValue(file, key));
  if (newer !== undefined) {
    const message = `config has been detected as potentially v1, but includes the v2 ${newer} field`;
    file.findings.addProblem(file.origin(newer), `${message}; write "version: v2" at the top of the file`);
    return undefined;
  }
  const { value, root, invalidKeys } = file.decode(fileV1);
  if (value === undefined) return undefined;
  file.findings.warn(
    `Deprecated config version (V1) detected in ${file.name}; it is read as version v2 and should be rewritten in that version`,
  );
  const own: Settings = {
    ...readSettings(root, 'v1', file, invalidKeys),
    storage: file.setting(value.storage, 'storage'),
  };
  const items = file.setting(file.locate(value.destinations, 'destinations'), 'destinations');
  return { layers: [own], items, invalidKeys };
}

/** Whether `key` has a value other than an empty list. */
function hasValue(file: SourceFile, key: string): boolean {
  const value = file.root.get(key);
  return value !== undefined && !(isList(value) && value.length === 0);
}

// Version v2.

/** Two layers: `join_uri` takes precedence over the other keys of the file. */
function settingsOfV2(file: SourceFile): FileLayers | undefined {
  const { value, root, invalidKeys } = file.decode(fileV2);
  if (value === undefined) return undefined;
  noteFormerDestinations(file);
  warnOfLiteralWildcards(file);
  const items = [...file.locate(value.outputs, 'outputs'), ...file.locate(value.services, 'services')];
  const own = readSettings(root, 'v2', file, invalidKeys);
  const { joinUri } = own;
  const ofUri = joinUri === undefined ? {} : readJoinUri(joinUri.value, joinUri.origin, file.findings);
  return {
    layers: [ofUri, own],
    items: file.setting(items, value.outputs.length > 0 ? 'outputs' : 'services'),
    invalidKeys,
  };
}

/** Reports the current names of keys in a v1 list. The list itself is already reported as unknown. */
function noteFormerDestinations(file: SourceFile): void {
  const destinations = file.root.get('destinations');
  for (const [index, item] of isList(destinations) ? destinations.entries() : []) {
    for (const key of isMapping(item) ? item.keys() : []) {
      const advice = Object.hasOwn(ITEM_OF_V2, key) ? ITEM_OF_V2[key] : undefined;
      if (advice !== undefined) file.noteMisplaced(advice.replace(/^: it /, ''), 'destinations', index, key);
    }
  }
}

/** Only warnings, because a cluster may have such labels. */
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

// The settings outside the outputs.

/** @param root the file without what could not be read */
function readSettings(
  root: Mapping,
  version: 'v1' | 'v2',
  file: SourceFile,
  invalidKeys: ReadonlySet<string>,
): Settings {
  if (invalidKeys.has('onboarding')) refuseToken(file);
  return eachSetting((_, { file: key, read, since = 'v1' }) => {
    if (key === undefined || since > version) return undefined;
    const path = key.split('.');
    const { data } = read.field.safeParse(valueAt(root, path));
    return file.setting(data, ...path);
  });
}

/** Reports a problem of the token together with the others of its section, which is then not read. */
function refuseToken(file: SourceFile): void {
  const token = valueAt(file.root, ['onboarding', 'token']);
  const refusal = token instanceof Scalar ? unexpandedToken(token.text) : undefined;
  if (refusal !== undefined) file.findings.addProblem(file.origin('onboarding', 'token'), refusal);
}
