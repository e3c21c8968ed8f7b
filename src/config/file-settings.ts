/** Reads the text of a configuration file into settings. */
import type { Fault } from '../errors.ts';
import type { Findings } from './findings.ts';
import { NOT_TBOT, otherFile, otherText } from './other-files.ts';
import type { Settings } from './settings.ts';
import { SourceFile, placeIn } from './source-file.ts';
import { settingsOfV1 } from './v1-settings.ts';
import { unexpandedValue } from './unexpanded.ts';
import { unrenderedFaults } from './unrendered-file.ts';
import { type FileLayers, settingsOfV2 } from './v2-settings.ts';
import { readYaml } from './yaml/document.ts';
import { Scalar } from './yaml/scalar.ts';
import { describe } from './yaml/tree.ts';

export interface FileSettings {
  /** Places that nothing reads and that hold what was meant to be written. */
  readonly strays: readonly Fault[];
  /** The first that gives a setting counts. */
  readonly layers: readonly Settings[];
  /** Top-level keys with a fault, so that what they would have said is not missed on top; `all` if nothing was read. */
  readonly faulty: ReadonlySet<string> | 'all';
}

const NOTHING: FileSettings = { layers: [], faulty: 'all', strays: [] };

/** `name` is how messages name the file. What is wrong with it goes to `findings`; no text is wrong already. */
export function readFileSettings(text: string | undefined, name: string, findings: Findings): FileSettings {
  if (text === undefined) return NOTHING;
  const other = otherText(text);
  if (other !== undefined) {
    findings.refuse(placeIn(name, 'document', 1), `looks like ${other.looksLike} ${NOT_TBOT}`);
    return NOTHING;
  }
  const document = readYaml(text);
  if ('faults' in document) {
    const unrendered = unrenderedFaults(text);
    for (const { path, line, message } of unrendered.length > 0 ? unrendered : document.faults) {
      findings.refuse(placeIn(name, path, line), message);
    }
    return NOTHING;
  }
  const file = new SourceFile(document, name, findings);
  const read = readKnownFile(file);
  if (read === undefined) return NOTHING;
  const message = 'another YAML document begins here, and only the first is read: put all settings into one';
  const later = document.laterLines.map((line) => ({ path: 'document', line, message }));
  return { ...read, strays: [...file.strays, ...later] };
}

function readKnownFile(file: SourceFile): FileLayers | undefined {
  const other = otherFile(file.root);
  if (other === undefined) return readVersion(file);
  const { key = 'document', looksLike } = other;
  file.findings.refuse(file.origin(key), `the file looks like ${looksLike} ${NOT_TBOT}`);
  return undefined;
}

/** A file that names no version is of version v1, as it was for tbot when v2 came. */
function readVersion(file: SourceFile): FileLayers | undefined {
  const version = file.root.get('version');
  if (version !== undefined && !(version instanceof Scalar)) {
    file.findings.refuse(file.origin('version'), `cannot unmarshal ${describe(version)} into string`);
    return undefined;
  }
  switch (version?.text ?? '') {
    case 'v2':
      return settingsOfV2(file);
    case 'v1':
    case '':
      return settingsOfV1(file);
    default:
      file.findings.refuse(
        file.origin('version'),
        unexpandedValue(version?.text ?? '') ??
          `unrecognized config version "${version?.text ?? ''}"; tbot has v1 and v2: write "version: v2"`,
      );
      return undefined;
  }
}
