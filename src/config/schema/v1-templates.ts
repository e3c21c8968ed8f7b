/** The `configs` of a v1 destination: names of file templates, hardly any with settings. */
import * as z from 'zod/mini';
import type {} from '../output.ts';
import type { DatabaseFormat } from '../../outputs/database.ts';
import { Scalar } from '../yaml/scalar.ts';
import type { YamlValue } from '../yaml/tree.ts';
import { isMapping } from '../yaml/tree.ts';
import type { Context, Field } from './field.ts';
import { list, refuse, textList } from './field.ts';
import { section } from './section.ts';

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

export interface Templates {
  readonly names: ReadonlySet<string>;
  /** Only with `ssh_host_cert`. */
  readonly principals: readonly string[] | undefined;
  readonly databaseFormat: DatabaseFormat;
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

export const templates: Field<Templates> = z.pipe(
  list(template),
  z.transform((found: readonly Template[], context): Templates => {
    const names = new Set(found.map(({ name }) => name));
    const formats = FORMATS.filter((format) => names.has(format));
    if (formats.length > 1) refuse(context, `only one of ${formats.join(', ')} can be written to one destination`);
    return {
      names,
      principals: found.find(({ principals }) => principals !== undefined)?.principals,
      databaseFormat: formats[0] ?? 'default',
    };
  }),
);
