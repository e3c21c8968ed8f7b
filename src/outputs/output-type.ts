/** The declaration of an output type: everything that is specific to it, in one literal. */
import { type Common, item } from '../schema/common.ts';
import { destination } from '../schema/destination.ts';
import type { Context, Field } from '../schema/fields.ts';
import { documentation, joined, key, type Keys, keys } from '../schema/keys.ts';
import type { FileInfo } from './file-list.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf, SettingsOf } from './output.ts';
import type { CredentialFiles, Credentials } from './read-back.ts';
import type { OutputWork } from './work.ts';

/** What the credentials are used with, as far as that decides which servers a job connects to. */
export type Use =
  | { readonly kind: 'ssh'; readonly isConfigured: boolean }
  | { readonly kind: 'kubernetes' }
  | { readonly kind: 'database'; readonly service: string }
  | { readonly kind: 'application'; readonly appName: string }
  | { readonly kind: 'aws'; readonly region: string | undefined; readonly trustAnchorArn: string };

interface Declaration<T extends string, V extends object> {
  /** One sentence for the documentation. */
  readonly help: string | undefined;
  /** The keys of `tbot.yaml` that not every output has. */
  readonly keys: Keys<V>;
  /** Checks values against each other, when each by itself is fine. */
  readonly check?: (values: V & Common, context: Context) => void;
  /** Whether the type has the key `roles`; by default it does. */
  readonly takesRoles?: boolean;
  /** Whether its lifetime has the limit of the bot's certificates. SVIDs have none; by default there is one. */
  readonly limitTtl?: boolean;
  /** What the credentials are for, in the words of the configuration; `undefined` for the whole cluster. */
  readonly resource: (output: OutputOf<T, V>) => string | undefined;
  /** Left out where the credentials need no other connection than those of every run. */
  readonly use?: (output: OutputOf<T, V>) => Use;
  /** The key of the certificate that is routed to one resource; left out where there is no such certificate. */
  readonly routedKey?: 'suite' | 'rsa-2048';
  /** @throws MachineIdError as asking, checking and writing do */
  readonly produce: (output: OutputOf<T, V>, work: OutputWork) => Promise<WrittenOutput>;
  /** What `produce` writes, and tbot in its place. */
  readonly files: readonly FileInfo<OutputOf<T, V>>[];
  /**
   * Checks what tbot has written and returns what the summary shows of it.
   * @throws MachineIdError TBOT_FAILED, whose message begins with the name of a file
   */
  readonly readBack: (output: OutputOf<T, V>, files: CredentialFiles) => Credentials | Promise<Credentials>;
  /** The profile, where the output writes into a file of AWS profiles that may have others. */
  readonly awsProfile?: (output: OutputOf<T, V>) => string;
}

export interface OutputType<T extends string, V extends object> extends Declaration<T, V> {
  readonly type: T;
  /** Reads an item of `outputs` or `services`. */
  readonly field: Field<SettingsOf<T, V>>;
}

const DESTINATION_KEYS = keys({
  destination: key(
    'destination',
    destination,
    documentation('Where to write: a directory, or memory that is gone after the run.'),
  ),
});

export function outputType<const T extends string, V extends object>(
  type: T,
  declaration: Declaration<T, V>,
): OutputType<T, V> {
  return { ...declaration, type, field: item(type, joined(DESTINATION_KEYS, declaration.keys), declaration) };
}
