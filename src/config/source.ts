/** Finds the text of the configuration: a file, or the text itself in base64. */
import { Buffer } from 'node:buffer';
import { fileErrorText } from '../effects/file-error.ts';
import { MachineIdError, type Problem } from '../errors.ts';
import { decode } from '../schema/decode.ts';
import type { Field } from '../schema/fields.ts';
import { unexpandedPath } from '../schema/unexpanded.ts';
import type { YamlDocument } from '../schema/yaml/document.ts';
import { formatPath, type Mapping, type Path } from '../schema/yaml/tree.ts';
import { type Findings, type Origin, type Setting, setting } from './findings.ts';
import type { Environment } from './from-environment.ts';
import { type Item, KEYS_OF_OUTPUTS, type PlacedItem } from './items.ts';
import type { RunFlags, Settings } from './settings.ts';

/** The settings of one tunnel that only flags of the command `tunnel` have. */
export interface TunnelFlags {
  readonly listen?: string | undefined;
  readonly name?: string | undefined;
  /** Whether one tunnel is to lead to all applications. */
  readonly applicationProxy?: boolean | undefined;
  /** Whether one tunnel is to carry SSH sessions. */
  readonly sshMultiplexer?: boolean | undefined;
}

export interface PlanInputs {
  readonly flags: RunFlags;
  /** Given by the command `tunnel`: the plan then has the tunnels of the file or of the flags, and no outputs. */
  readonly tunnelFlags?: TunnelFlags | undefined;
  readonly environment: Environment;
  /** Absolute; relative paths start from it. */
  readonly workingDirectory: string;
  /** Paths used elsewhere, by flag or variable, to be checked together with the configuration. */
  readonly otherPaths?: Readonly<Record<string, string | undefined>> | undefined;
  /** The text of a file; rejects when it cannot be read. */
  readonly readFile: (path: string) => Promise<string>;
}

export interface ConfigText {
  /** In messages: the path as given, or the flag or variable with the text. */
  readonly name: string;
  /** `undefined` after a problem. */
  readonly text: string | undefined;
}

/**
 * Of the first source that names one; `undefined` when none does. Rejects with `CONFIG_UNREADABLE` when the file can't be
 * read.
 */
export async function readConfigText(
  sources: readonly Settings[],
  readFile: PlanInputs['readFile'],
  findings: Findings,
): Promise<ConfigText | undefined> {
  for (const { config, configString } of sources) {
    if (config !== undefined && configString !== undefined) {
      findings.addProblem(configString.origin, `cannot be combined with ${config.origin.path}`);
      return { name: config.origin.path, text: undefined };
    }
    if (config !== undefined) return readConfigFile(config, readFile, findings);
    if (configString !== undefined) return decodeBase64Text(configString, findings);
  }
  return undefined;
}

async function readConfigFile(
  { origin, value: path }: Setting<string>,
  readFile: PlanInputs['readFile'],
  findings: Findings,
): Promise<ConfigText> {
  const unexpanded = unexpandedPath(path);
  if (unexpanded !== undefined) {
    findings.addProblem(origin, unexpanded);
    return { name: origin.path, text: undefined };
  }
  try {
    return { name: path, text: await readFile(path) };
  } catch (cause) {
    const message = `failed to open file: ${path}, named by ${origin.path}: ${fileErrorText(cause)}`;
    throw new MachineIdError('CONFIG_UNREADABLE', message, {
      hint: 'Check the path, which is relative to the working directory of the step; the files of the repository exist only after "checkout". Or leave the file out and use --proxy-server, --token and --destination.',
      cause,
    });
  }
}

function decodeBase64Text({ origin, value: encoded }: Setting<string>, findings: Findings): ConfigText {
  const name = origin.path;
  const compact = encoded.replace(/\s/g, '');
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return { name, text: Buffer.from(compact, 'base64').toString('utf8') };
  findings.addProblem(origin, 'must be the text of a configuration file in base64');
  return { name, text: undefined };
}

// A parsed configuration file, and the lines of its settings.

/** A place in the file `name`. */
export function originIn(name: string, path: string, line: number | undefined): Origin {
  return { path, line, label: line === undefined ? name : `${name} line ${line}` };
}

interface Decoded<T> {
  /** `undefined` only when the file as a whole could not be read. */
  readonly value: T | undefined;
  /** Without the keys that could not be read. */
  readonly root: Mapping;
  readonly invalidKeys: ReadonlySet<string>;
}

export class SourceFile {
  readonly name: string;
  readonly findings: Findings;
  /** Ignored places that contain outputs. */
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

  /** Notes an ignored place that contains outputs. */
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
   * The file as far as it can be read, and the top-level keys that can't be.
   * @param unknown whether keys that `schema` does not know cause a warning or a problem
   */
  decode<T>(schema: Field<T>, unknown: 'warn' | 'refuse' = 'warn'): Decoded<T> {
    const { value, problems, root, unknownKeys, dropped } = decode(schema, this.#document, KEYS_OF_OUTPUTS);
    this.#dropped = dropped;
    for (const { path, line, message } of problems) this.findings.addProblem(originIn(this.name, path, line), message);
    for (const { path, line, message, holdsOutputs } of unknownKeys) {
      const place = originIn(this.name, path, line);
      if (unknown === 'refuse') this.findings.addProblem(place, message);
      else if (holdsOutputs) this.misplaced.push({ path, ...(line === undefined ? {} : { line }), message });
      else this.findings.warnAt(place, message);
    }
    return { value, root, invalidKeys: new Set(problems.map(({ path }) => path.replace(/[.[].*$/s, ''))) };
  }
}
