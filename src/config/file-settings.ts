/** Reads the text of a configuration file into settings. */
import type { Fault } from '../errors.ts';
import type { Findings } from './findings.ts';
import { readJoinUri } from './join-uri.ts';
import type { Field } from './schema/field.ts';
import { decode } from './schema/decode.ts';
import type { Item } from './schema/items.ts';
import type { FileV1 } from './schema/v1.ts';
import { fileV1 } from './schema/v1.ts';
import type { FileV2 } from './schema/v2.ts';
import { fileV2 } from './schema/v2.ts';
import type { Origin, PlacedItem, Setting, Settings } from './settings.ts';
import { setting } from './settings.ts';
import type { YamlDocument } from './yaml/document.ts';
import { readYaml } from './yaml/document.ts';
import { Scalar } from './yaml/scalar.ts';
import type { Path } from './yaml/tree.ts';
import { describe, formatPath, isList } from './yaml/tree.ts';

export interface FileSettings {
  /** What `join_uri` says, which wins over the keys of the file, and then those. */
  readonly layers: readonly Settings[];
  /** Top-level keys with a fault, so that what they would have said is not missed on top; `all` if nothing was read. */
  readonly faulty: ReadonlySet<string> | 'all';
}

const NOTHING: FileSettings = { layers: [], faulty: 'all' };

/** Reads version v2, and version v1 as its migration to v2. `name` is how messages name the file. */
export function readFileSettings(text: string, name: string, findings: Findings): FileSettings {
  const document = readYaml(text);
  if ('faults' in document) {
    for (const fault of document.faults) findings.refuse(originOf(fault, name), fault.message);
    return NOTHING;
  }
  const file = new ConfigFile(document, name, findings);
  const version = document.root.get('version');
  if (version !== undefined && !(version instanceof Scalar)) {
    return file.refuse('version', `cannot unmarshal ${describe(version)} into string`);
  }
  switch (version?.text ?? '') {
    case 'v2':
      return file.readV2();
    case 'v1':
    case '':
      return file.readV1();
    default:
      return file.refuse('version', `unrecognized config version "${version?.text ?? ''}"; write "version: v2"`);
  }
}

class ConfigFile {
  readonly #document: YamlDocument;
  readonly #name: string;
  readonly #findings: Findings;

  constructor(document: YamlDocument, name: string, findings: Findings) {
    this.#document = document;
    this.#name = name;
    this.#findings = findings;
  }

  refuse(key: string, message: string): FileSettings {
    this.#findings.refuse(this.#origin([key]), message);
    return NOTHING;
  }

  readV2(): FileSettings {
    const { value, faulty } = this.#decode(fileV2);
    if (value === undefined) return NOTHING;
    const items = [...this.#place(value.outputs, 'outputs'), ...this.#place(value.services, 'services')];
    const own: Settings = {
      ...this.#shared(value),
      proxyServer: this.#setting(value.proxy_server, 'proxy_server'),
      storage: this.#setting(value.storage, 'storage'),
      items: this.#setting(items, 'document'),
      ttlMs: this.#ttl(value),
      leewayMs: this.#setting(value.leeway, 'leeway'),
      insecure: this.#setting(value.insecure, 'insecure'),
    };
    return { layers: [readJoinUri(value.join_uri, this.#origin(['join_uri']), this.#findings), own], faulty };
  }

  readV1(): FileSettings {
    const newer = ['outputs', 'services', 'proxy_server'].find((key) => this.#says(key));
    if (newer !== undefined) {
      const message = `config has been detected as potentially v1, but includes the v2 ${newer} field`;
      return this.refuse(newer, `${message}; write "version: v2" at the top of the file`);
    }
    const { value, faulty } = this.#decode(fileV1);
    if (value === undefined) return NOTHING;
    this.#findings.warn(
      `Deprecated config version (V1) detected in ${this.#name}; it is read as the version v2 that says the same, and should be rewritten as that`,
    );
    const own: Settings = {
      ...this.#shared(value),
      storage: this.#setting(value.storage, 'storage'),
      items: this.#setting([...this.#place(value.destinations, 'destinations')], 'document'),
      ttlMs: this.#setting(value.certificate_ttl, 'certificate_ttl'),
    };
    return { layers: [own], faulty };
  }

  /** Whether `key` is there with something in it. */
  #says(key: string): boolean {
    const value = this.#document.root.get(key);
    return value !== undefined && !(isList(value) && value.length === 0);
  }

  #decode<T>(schema: Field<T>): { readonly value: T | undefined; readonly faulty: ReadonlySet<string> } {
    const { value, faults, unknownKeys } = decode(schema, this.#document);
    for (const fault of faults) this.#findings.refuse(originOf(fault, this.#name), fault.message);
    for (const fault of unknownKeys) {
      const { label, path } = originOf(fault, this.#name);
      this.#findings.warn(`${label}: ${path}: ${fault.message}`);
    }
    return { value, faulty: new Set(faults.map(({ path }) => path.replace(/[.[].*$/s, ''))) };
  }

  /** What both versions say with the same keys. */
  #shared(value: FileV1 | FileV2): Settings {
    const { token, join_method: joinMethod, ca_pins: caPins, ca_path: caPath } = value.onboarding;
    return {
      authServer: this.#setting(value.auth_server, 'auth_server'),
      token: this.#setting(token, 'onboarding', 'token'),
      joinMethod: this.#setting(joinMethod, 'onboarding', 'join_method'),
      caPins: this.#setting(caPins.length > 0 ? caPins : undefined, 'onboarding', 'ca_pins'),
      caPath: this.#setting(caPath, 'onboarding', 'ca_path'),
      renewalIntervalMs: this.#setting(value.renewal_interval, 'renewal_interval'),
      oneshot: this.#setting(value.oneshot, 'oneshot'),
      fips: this.#setting(value.fips, 'fips'),
      debug: this.#setting(value.debug, 'debug'),
      diagAddr: this.#setting(value.diag_addr, 'diag_addr'),
    };
  }

  /** `certificate_ttl` is the older name of `credential_ttl`. */
  #ttl({ credential_ttl: credential, certificate_ttl: certificate }: FileV2): Setting<number> | undefined {
    if (credential !== undefined && certificate !== undefined && credential !== certificate) {
      const { label } = this.#origin(['certificate_ttl']);
      this.#findings.warn(`${label}: certificate_ttl is ignored, as credential_ttl is given too and differs`);
    }
    if (credential !== undefined) return this.#setting(credential, 'credential_ttl');
    return this.#setting(certificate, 'certificate_ttl');
  }

  #place(items: readonly Item[], key: string): readonly PlacedItem[] {
    return items.map((item, index) => {
      const path = [key, index];
      return { ...item, path: formatPath(path), line: this.#document.lineOf(path) };
    });
  }

  #setting<T>(value: T | undefined, ...path: readonly string[]): Setting<T> | undefined {
    return setting(value, this.#origin(path));
  }

  #origin(path: Path): Origin {
    const line = this.#document.lineOf(path);
    return originOf({ path: formatPath(path), ...(line === undefined ? {} : { line }) }, this.#name);
  }
}

function originOf({ path, line }: Pick<Fault, 'path' | 'line'>, name: string): Origin {
  return { path, line, label: line === undefined ? name : `${name} line ${line}` };
}
