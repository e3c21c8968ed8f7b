/** The `destination` of an output, and `storage`. */
import * as z from 'zod/mini';
import {
  byType,
  type Field,
  ignored,
  list,
  refuse,
  requiredPath,
  requiredText,
  section,
  type SectionOf,
  text,
  textRecord,
  word,
} from './fields.ts';
import { DESTINATION_OF_V2 } from './other-names.ts';
import type { Mapping } from './yaml/tree.ts';

const PATH_EMPTY = 'destination path must not be empty';

/** Off Linux, Teleport turns `acls` off; here the writer decides that, as it knows the system. */
const settings = {
  symlinks: word(['secure', 'try-secure', 'insecure'], {
    default: 'try-secure',
    refusal: (given) => `invalid symlinks mode: "${given}"; expected one of secure, try-secure, insecure`,
  }),
  acls: word(['off', 'try', 'required'], {
    default: 'try',
    refusal: (given) => `invalid acls mode: "${given}"; expected one of off, try, required`,
  }),
  readers: readers(),
};

/** tbot would create a folder named after the scheme of a URI. */
export const directoryPath: Field<string> = z.pipe(
  requiredPath(PATH_EMPTY),
  z.transform((path: string, context) => {
    const [scheme] = /^(?:file|memory|kubernetes-secret|unix|https?|s3|gs):(?:\/\/(?:localhost)?)?/i.exec(path) ?? [];
    if (scheme === undefined) return path;
    const advice = /^file:/i.test(scheme) ? `; write "${path.slice(scheme.length)}"` : '';
    return refuse(context, `"${path}" is a URI, expected a path${advice}`);
  }),
);

export const directory: Field<DirectoryDestination> = z.pipe(
  place({ type: ignored, path: directoryPath, ...settings }),
  z.transform(({ path, symlinks, acls, readers }) => ({ type: 'directory' as const, path, symlinks, acls, readers })),
);

const memory: Field<Destination> = z.pipe(
  place({ type: ignored }),
  z.transform(() => ({ type: 'memory' as const })),
);

const kubernetesSecret: Field<Destination> = z.pipe(
  place({ type: ignored, name: requiredText('name must not be empty'), namespace: text, labels: textRecord }),
  z.transform(({ name, namespace, labels }) => ({
    type: 'kubernetes_secret' as const,
    name,
    namespace,
    labels,
  })),
);

/** A destination with its `type`. */
export const destination: Field<Destination> = byType(
  { directory, memory, kubernetes_secret: kubernetesSecret },
  {
    absent: 'no destination configured for output; write "destination: {type: directory, path: DIR}"',
    unrecognized: (type) => `unrecognized destination type (${type})`,
    untyped: typeOfPlace,
    instead: (text) => (text === 'memory' ? '{type: memory}' : `{type: directory, path: ${text || 'DIR'}}`),
  },
);

function place<S extends Parameters<typeof section>[0]>(shape: S): Field<SectionOf<S>> {
  return section(shape, undefined, DESTINATION_OF_V2);
}

/** In version v1, `directory` and `memory` are keys. */
function typeOfPlace(mapping: Mapping): string {
  if (mapping.has('memory')) return '"type: memory" instead of "memory", a key of version v1';
  if (mapping.has('directory')) return '"type: directory" and "path" instead of "directory", a key of version v1';
  if (mapping.has('path')) return '"type: directory"';
  return mapping.has('name') ? '"type: kubernetes_secret"' : '"type: directory" and "path: DIR"';
}

/** The settings of a directory with the defaults of the file format. */
export function plainDirectory(path: string): DirectoryDestination {
  return { type: 'directory', path, symlinks: 'try-secure', acls: 'try', readers: [] };
}

function readers(): Field<readonly Reader[]> {
  return z.pipe(
    list(section({ user: text, group: text })),
    z.transform((entries, context) =>
      entries.map(({ user, group }, index): Reader => {
        if (user !== undefined && group === undefined) return { user };
        if (group !== undefined && user === undefined) return { group };
        return refuse(context, `reader entry ${index} is invalid; set either user or group`, [index]);
      }),
    ),
  );
}

// The settings of each destination type.

export type SymlinkMode = 'secure' | 'try-secure' | 'insecure';
type AclMode = 'off' | 'try' | 'required';
export type Reader = { readonly user: string } | { readonly group: string };

export interface DirectoryDestination {
  readonly type: 'directory';
  /** As configured: absolute, or relative to the working directory. */
  readonly path: string;
  readonly symlinks: SymlinkMode;
  readonly acls: AclMode;
  readonly readers: readonly Reader[];
}

export interface MemoryDestination {
  readonly type: 'memory';
}

interface KubernetesSecretDestination {
  readonly type: 'kubernetes_secret';
  readonly name: string;
  readonly namespace: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export type Destination = DirectoryDestination | MemoryDestination | KubernetesSecretDestination;
