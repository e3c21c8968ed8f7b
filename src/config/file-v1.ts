/** The file format before `version: v2`, converted to the items of v2. */
import * as z from 'zod/mini';
import { APPLICATION_OPTIONS } from '../outputs/application.ts';
import { DATABASE_OPTIONS, type DatabaseFormat } from '../outputs/database.ts';
import { IDENTITY_KEYS } from '../outputs/identity.ts';
import { KUBECONFIG_KEYS } from '../outputs/kubeconfig-keys.ts';
import { SSH_HOST_OPTIONS } from '../outputs/ssh-host.ts';
import { COMMON_DEFAULTS, refuseWildcard, resourceName } from '../schema/common.ts';
import { type Destination, directory, directoryPath, plainDirectory } from '../schema/destination.ts';
import {
  type Context,
  type Field,
  flag,
  list,
  readBy,
  refuse,
  refuseKind,
  section,
  type SectionOf,
  text,
  textList,
} from '../schema/fields.ts';
import { defaultsOf } from '../schema/keys.ts';
import { ITEM_OF_V1, PLACE_OF_V1, TOP_OF_V1 } from '../schema/other-names.ts';
import { isMapping, Scalar, type YamlValue } from '../schema/yaml/tree.ts';
import { onboarding } from './file-v2.ts';
import type { Item } from './items.ts';
import { fileFields } from './settings.ts';

// The `configs` of a v1 destination: names of file templates, of which only `ssh_host_cert` has settings.

const NAMES: readonly string[] = [
  'ssh_client',
  'identity',
  'tls',
  'tls_cas',
  'mongo',
  'cockroach',
  'kubernetes',
  'ssh_host_cert',
];

interface Templates {
  readonly names: ReadonlySet<string>;
  /** Only with `ssh_host_cert`. */
  readonly principals: readonly string[] | undefined;
  readonly databaseFormat: Exclude<DatabaseFormat, 'default'> | undefined;
}

interface Template {
  readonly name: string;
  readonly principals: readonly string[] | undefined;
}

const hostCertificate = section({ principals: textList });

const template: Field<Template> = z.transform((input, context): Template => {
  if (input instanceof Scalar) return named(input.text, undefined, context);
  const entries = isMapping(input) ? [...input] : [];
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) {
    return refuse(context, 'a config template must be a name, or a mapping with one key');
  }
  return named(entry[0], entry[1], context);
});

function named(name: string, options: YamlValue | undefined, context: Context): Template {
  if (!NAMES.includes(name)) return refuse(context, `unrecognized config template "${name}"`);
  if (name === 'ssh_host_cert') {
    const result = hostCertificate.safeParse(options);
    const principals = result.success ? result.data.principals : [];
    if (principals.length === 0) refuse(context, 'at least one principal must be specified', [name]);
    return { name, principals };
  }
  if (options !== undefined && !(isMapping(options) && options.size === 0)) {
    refuse(context, `configuration options are not supported by migration for ${name} config template`);
  }
  return { name, principals: undefined };
}

const FORMATS = ['mongo', 'cockroach', 'tls'] as const;

const templates: Field<Templates> = z.pipe(
  list(template),
  z.transform((found: readonly Template[], context): Templates => {
    const names = new Set(found.map(({ name }) => name));
    const formats = FORMATS.filter((format) => names.has(format));
    if (formats.length > 1) refuse(context, `only one of ${formats.join(', ')} can be written to one destination`);
    return {
      names,
      principals: found.find(({ principals }) => principals !== undefined)?.principals,
      databaseFormat: formats[0],
    };
  }),
);

/** `directory` is a path, or a mapping with a path and other settings. */
const directoryV1: Field<Destination | undefined> = z.transform((input, context) => {
  if (input === undefined) return undefined;
  if (!(input instanceof Scalar)) return readBy(directory, input, context);
  return plainDirectory(readBy(directoryPath, input, context));
});

/** `memory: {}` or `memory: true`. */
const memoryV1: Field<boolean> = z.transform((input, context) => {
  if (isMapping(input)) return input.size === 0 || refuse(context, 'memory has no settings; write "memory: {}"');
  const result = flag.safeParse(input);
  return result.success ? result.data : refuse(context, 'memory must be a mapping; write "memory: {}"');
});

const PLACE = { directory: directoryV1, memory: memoryV1 };

function destinationOf({ directory, memory }: SectionOf<typeof PLACE>, context: Context): Destination | undefined {
  if (memory && directory !== undefined) refuse(context, "both 'memory' and 'directory' cannot be specified");
  return memory ? { type: 'memory' } : directory;
}

const storage: Field<Destination | undefined> = z.pipe(
  section(PLACE, undefined, PLACE_OF_V1),
  z.transform((fields, context) => destinationOf(fields, context)),
);

/** In version v2, `database` is only the name of a database. */
const databaseV1 = z.pipe(
  z.transform((input, context) =>
    input instanceof Scalar && input.tag !== 'null'
      ? refuseKind(
          context,
          input,
          'a mapping; in version v1 write "database: {service: NAME, database: NAME, username: NAME}"',
        )
      : input,
  ),
  section({ service: resourceName('service must not be empty'), database: text, username: text }),
);

const ITEM = {
  ...PLACE,
  roles: textList,
  configs: templates,
  cluster: text,
  app: text,
  kubernetes_cluster: text,
  database: z.optional(databaseV1),
};

const destinationItem: Field<Item> = z.pipe(
  section(ITEM, undefined, ITEM_OF_V1),
  z.transform((fields, context): Item => {
    const destination = destinationOf(fields, context);
    if (destination === undefined) {
      return refuse(context, 'no destination configured for output; in version v1 write "directory: DIR"');
    }
    const { app, database, kubernetes_cluster: kubernetesCluster, configs } = fields;
    if ([app, database, kubernetesCluster, configs.principals].filter((kind) => kind !== undefined).length > 1) {
      return refuse(context, 'multiple potential output types detected, cannot determine correct type');
    }
    for (const key of ['app', 'kubernetes_cluster'] as const) {
      const refusal = refuseWildcard(fields[key] ?? '');
      if (refusal !== undefined) refuse(context, refusal, [key]);
    }
    return itemOf(fields, destination);
  }),
);

/** The keys that are present decide what the item writes. */
function itemOf({ app, database, configs, ...fields }: SectionOf<typeof ITEM>, destination: Destination): Item {
  const common = { ...COMMON_DEFAULTS, roles: fields.roles, destination };
  if (app !== undefined) {
    const specificTlsNaming = configs.names.has('tls');
    return { type: 'application', ...common, ...defaultsOf(APPLICATION_OPTIONS), appName: app, specificTlsNaming };
  }
  if (database !== undefined) {
    const defaults = defaultsOf(DATABASE_OPTIONS);
    const format = configs.databaseFormat ?? defaults.format;
    return { type: 'database', ...common, ...defaults, ...database, format };
  }
  if (fields.kubernetes_cluster !== undefined) {
    const kubernetesCluster = fields.kubernetes_cluster;
    return { type: 'kubernetes', ...common, ...defaultsOf(KUBECONFIG_KEYS), kubernetesCluster };
  }
  if (configs.principals !== undefined) {
    return { type: 'ssh_host', ...common, ...defaultsOf(SSH_HOST_OPTIONS), principals: configs.principals };
  }
  return { type: 'identity', ...common, ...defaultsOf(IDENTITY_KEYS), cluster: fields.cluster };
}

const SHAPE = {
  version: text,
  onboarding,
  ...fileFields('v1'),
  storage,
  destinations: list(destinationItem),
};

export type FileV1 = SectionOf<typeof SHAPE>;

export const fileV1: Field<FileV1> = section(SHAPE, undefined, TOP_OF_V1);
