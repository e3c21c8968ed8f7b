/** Reads the text of a configuration file into settings. */
import type { Findings } from './findings.ts';
import type { Settings } from './settings.ts';
import { SourceFile, placeIn } from './source-file.ts';
import { settingsOfV1 } from './v1-settings.ts';
import { settingsOfV2 } from './v2-settings.ts';
import { readYaml } from './yaml/document.ts';
import { Scalar } from './yaml/scalar.ts';
import { describe } from './yaml/tree.ts';

export interface FileSettings {
  /** The first that gives a setting counts. */
  readonly layers: readonly Settings[];
  /** Top-level keys with a fault, so that what they would have said is not missed on top; `all` if nothing was read. */
  readonly faulty: ReadonlySet<string> | 'all';
}

const NOTHING: FileSettings = { layers: [], faulty: 'all' };

/** `name` is how messages name the file. What is wrong with it goes to `findings`; no text is wrong already. */
export function readFileSettings(text: string | undefined, name: string, findings: Findings): FileSettings {
  if (text === undefined) return NOTHING;
  const document = readYaml(text);
  if (!('faults' in document)) return readVersion(new SourceFile(document, name, findings)) ?? NOTHING;
  for (const { path, line, message } of document.faults) findings.refuse(placeIn(name, path, line), message);
  return NOTHING;
}

/** A file that names no version is of version v1, as it was for tbot when v2 came. */
function readVersion(file: SourceFile): FileSettings | undefined {
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
        `unrecognized config version "${version?.text ?? ''}"; write "version: v2"`,
      );
      return undefined;
  }
}
