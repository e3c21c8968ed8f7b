/** Finds the text of the configuration: a file, or the text itself in base64. */
import { Buffer } from 'node:buffer';
import { fileErrorText } from '../effects/file-error.ts';
import { MachineIdError, type Problem } from '../errors.ts';
import { decode } from '../schema/decode.ts';
import type { Field } from '../schema/fields.ts';
import { unexpandedPath } from '../schema/unexpanded.ts';
import type { YamlDocument } from '../schema/yaml/document.ts';
import { formatPath, type Mapping, type Path } from '../schema/yaml/tree.ts';
import { type Environment, given } from './from-environment.ts';
import type { RunFlags } from './from-flags.ts';
import type { Item, PlacedItem } from './items.ts';
import { type Findings, named, type Origin, type Setting, setting } from './settings.ts';

export interface PlanInputs {
  readonly flags: RunFlags;
  readonly environment: Environment;
  /** Absolute; what relative paths start from. */
  readonly workingDirectory: string;
  /** Paths that other parts of the program use, by flag or variable, to be checked with everything else. */
  readonly otherPaths?: Readonly<Record<string, string | undefined>> | undefined;
  /** The text of a file; rejects when it cannot be read. */
  readonly readFile: (path: string) => Promise<string>;
}

export interface ConfigText {
  /** How messages name it: the path as given, or the flag or variable that holds the text. */
  readonly name: string;
  /** `undefined` after a problem. */
  readonly text: string | undefined;
}

/** `undefined` when none is named. Rejects with `CONFIG_UNREADABLE` when the file can't be read. */
export async function readConfigText(inputs: PlanInputs, findings: Findings): Promise<ConfigText | undefined> {
  for (const { path, pathName, encoded, encodedName } of places(inputs)) {
    if (path !== undefined && encoded !== undefined) {
      findings.addProblem(named(encodedName), `is given beside ${pathName}; give one of the two`);
      return { name: pathName, text: undefined };
    }
    const unexpanded = unexpandedPath(path ?? '');
    if (unexpanded !== undefined) {
      findings.addProblem(named(pathName), unexpanded);
      return { name: pathName, text: undefined };
    }
    if (path !== undefined) return { name: path, text: await readText(path, pathName, inputs.readFile) };
    if (encoded !== undefined) return decodeBase64Text(encoded, encodedName, findings);
  }
  return undefined;
}

/** In the order in which they count. */
function places({ flags, environment }: PlanInputs) {
  return [
    {
      path: flags.config === '' ? undefined : flags.config,
      pathName: '--config',
      encoded: flags.configString === '' ? undefined : flags.configString,
      encodedName: '--config-string',
    },
    {
      path: given(environment, 'TBOT_CONFIG_PATH'),
      pathName: 'TBOT_CONFIG_PATH',
      encoded: given(environment, 'TBOT_CONFIG'),
      encodedName: 'TBOT_CONFIG',
    },
  ];
}

async function readText(path: string, pathName: string, readFile: PlanInputs['readFile']): Promise<string> {
  try {
    return await readFile(path);
  } catch (cause) {
    const message = `failed to open file: ${path}, named by ${pathName}: ${fileErrorText(cause)}`;
    throw new MachineIdError('CONFIG_UNREADABLE', message, {
      hint: 'Check the path, which is relative to the working directory of the step; a job has the files of the repository only after "checkout". Or leave the file out and give --proxy-server, --token and --destination.',
      cause,
    });
  }
}

function decodeBase64Text(encoded: string, name: string, findings: Findings): ConfigText {
  const compact = encoded.replace(/\s/g, '');
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return { name, text: Buffer.from(compact, 'base64').toString('utf8') };
  findings.addProblem(named(name), 'must be the text of a configuration file in base64');
  return { name, text: undefined };
}

// A configuration file that was parsed, and where in it a setting stands.

/** How messages name a place in the file `name`. */
export function originIn(name: string, path: string, line: number | undefined): Origin {
  return { path, line, label: line === undefined ? name : `${name} line ${line}` };
}

export class SourceFile {
  readonly name: string;
  readonly findings: Findings;
  /** Places that nothing reads and that hold what was meant to be written. */
  readonly misplaced: Problem[] = [];
  readonly #document: YamlDocument;
  #dropped: ReadonlyMap<string, ReadonlySet<number>> = new Map();

  constructor(document: YamlDocument, name: string, findings: Findings) {
    this.#document = document;
    this.name = name;
    this.findings = findings;
  }

  get root(): Mapping {
    return this.#document.root;
  }

  origin(...path: Path): Origin {
    return originIn(this.name, formatPath(path), this.#document.lineOf(path));
  }

  setting<T>(value: T | undefined, ...path: Path): Setting<T> | undefined {
    return setting(value, this.origin(...path));
  }

  /** Notes a place that nothing reads and that holds what was meant to be written. */
  noteMisplaced(message: string, ...path: Path): void {
    const { line, path: place } = this.origin(...path);
    this.misplaced.push({ path: place, ...(line === undefined ? {} : { line }), message });
  }

  /** @param items that were decoded from the list at `key` */
  locate(items: readonly Item[], key: string): readonly PlacedItem[] {
    const dropped = this.#dropped.get(key) ?? new Set();
    const indices = Array.from({ length: items.length + dropped.size }, (_, index) => index);
    const kept = indices.filter((index) => !dropped.has(index));
    return items.map((item, at) => {
      const { path, line } = this.origin(key, kept[at] ?? at);
      return { ...item, path, line };
    });
  }

  /**
   * The settings as far as they can be read, and the top-level keys that can't be.
   * @param unknown whether keys that `schema` does not know are warned of or are problems
   */
  decode<T>(
    schema: Field<T>,
    unknown: 'warn' | 'refuse' = 'warn',
  ): { readonly value: T | undefined; readonly invalidKeys: ReadonlySet<string> } {
    const { value, problems, unknownKeys, dropped } = decode(schema, this.#document);
    this.#dropped = dropped;
    for (const { path, line, message } of problems) this.findings.addProblem(originIn(this.name, path, line), message);
    for (const { path, line, message, holdsOutputs } of unknownKeys) {
      const place = originIn(this.name, path, line);
      if (unknown === 'refuse') this.findings.addProblem(place, message);
      else if (holdsOutputs) this.misplaced.push({ path, ...(line === undefined ? {} : { line }), message });
      else this.findings.warnAt(place, message);
    }
    return { value, invalidKeys: new Set(problems.map(({ path }) => path.replace(/[.[].*$/s, ''))) };
  }
}
