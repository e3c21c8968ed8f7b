/** Outputs that give access to what Teleport protects: identity, applications, databases, SSH hosts. */
import * as z from 'zod/mini';
import type { ApplicationOutput, DatabaseOutput, IdentityOutput, SshHostOutput } from '../outputs/output.ts';
import { COMMON, commonOf, itemSection, resourceName } from '../schema/common.ts';
import { destination } from '../schema/destination.ts';
import { type Field, flag, readBy, refuse, refuseKind, text, textList, word } from '../schema/fields.ts';
import { isMapping } from '../schema/yaml/tree.ts';

export const identity: Field<IdentityOutput> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    cluster: text,
    // YAML 1.1 would make a boolean of these two words; here they are text.
    ssh_config: word(['on', 'off'], {
      default: 'on',
      refusal: (given) => `ssh_config: unrecognized value "${given}"; it is one of on, off`,
    }),
    allow_reissue: flag,
    delegation_session_id: text,
  }),
  z.transform((fields, context): IdentityOutput => {
    if (fields.delegation_session_id !== undefined && fields.roles.length > 0) {
      refuse(context, 'delegation sessions and explicit roles are mutually-exclusive', ['delegation_session_id']);
    }
    if (fields.delegation_session_id !== undefined && fields.cluster !== undefined) {
      refuse(context, 'delegation sessions cannot be used with leaf clusters', ['delegation_session_id']);
    }
    return {
      type: 'identity',
      ...commonOf(fields, context),
      destination: fields.destination,
      cluster: fields.cluster,
      sshConfig: fields.ssh_config === 'on',
      allowReissue: fields.allow_reissue,
      delegationSessionId: fields.delegation_session_id,
    };
  }),
);

export const application: Field<ApplicationOutput> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    app_name: resourceName('app_name must not be empty'),
    specific_tls_naming: flag,
  }),
  z.transform((fields, context): ApplicationOutput => ({
    type: 'application',
    ...commonOf(fields, context),
    destination: fields.destination,
    appName: fields.app_name,
    specificTlsNaming: fields.specific_tls_naming,
  })),
);

/** In version v1 it is a mapping. */
const databaseName: Field<string | undefined> = z.transform((input, context) =>
  isMapping(input)
    ? refuseKind(context, input, 'string; in version v2 write "service", "database" and "username" beside each other')
    : readBy(text, input, context),
);

export const database: Field<DatabaseOutput> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    service: resourceName('service must not be empty'),
    database: databaseName,
    username: text,
    format: word(['tls', 'mongo', 'cockroach'], {
      default: 'default',
      refusal: (given) => `unrecognized format (${given}); it is one of tls, mongo, cockroach`,
    }),
  }),
  z.transform((fields, context): DatabaseOutput => ({
    type: 'database',
    ...commonOf(fields, context),
    destination: fields.destination,
    service: fields.service,
    database: fields.database,
    username: fields.username,
    format: fields.format,
  })),
);

export const sshHost: Field<SshHostOutput> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    principals: textList,
    ca_type: word(['user', 'openssh'], {
      default: 'user',
      refusal: (given) => `ca_type ("${given}") is unsupported; it is one of user, openssh`,
    }),
  }),
  z.transform((fields, context): SshHostOutput => {
    if (fields.principals.length === 0) refuse(context, 'at least one principal must be specified', ['principals']);
    return {
      type: 'ssh_host',
      ...commonOf(fields, context),
      destination: fields.destination,
      principals: fields.principals,
      caType: fields.ca_type,
    };
  }),
);
