/** The `destination` of an output, and `storage`. */
import * as z from 'zod/mini';
import type { Destination, DirectoryDestination, Reader } from '../../outputs/destination.ts';
import type { Field } from './field.ts';
import { ignored, list, refuse, requiredPath, requiredText, text, textRecord, word } from './field.ts';
import { byType, section } from './section.ts';

export const PATH_EMPTY = 'destination path must not be empty';

/** A Teleport that runs elsewhere than on Linux turns `acls` off; the writer decides that, as it knows the system. */
const settings = {
  symlinks: word(['secure', 'try-secure', 'insecure'], {
    default: 'try-secure',
    refusal: (given) => `invalid symlinks mode: "${given}"; it is one of secure, try-secure, insecure`,
  }),
  acls: word(['off', 'try', 'required'], {
    default: 'try',
    refusal: (given) => `invalid acls mode: "${given}"; it is one of off, try, required`,
  }),
  readers: readers(),
};

export const directory: Field<DirectoryDestination> = z.pipe(
  section({ type: ignored, path: requiredPath(PATH_EMPTY), ...settings }),
  z.transform(({ path, symlinks, acls, readers }) => ({ type: 'directory' as const, path, symlinks, acls, readers })),
);

const memory: Field<Destination> = z.pipe(
  section({ type: ignored }),
  z.transform(() => ({ type: 'memory' as const })),
);

const kubernetesSecret: Field<Destination> = z.pipe(
  section({ type: ignored, name: requiredText('name must not be empty'), namespace: text, labels: textRecord }),
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
    absent: 'no destination configured for output',
    unrecognized: (type) => `unrecognized destination type (${type})`,
  },
);

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
        return refuse(context, `reader entry ${index} is invalid; give it either user or group`, [index]);
      }),
    ),
  );
}
