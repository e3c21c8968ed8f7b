/** The programs of others whose commands stand in the documents, and the flags that they are given there. */
import { z } from 'zod';

export interface OtherFlag {
  readonly program: string;
  /** Arguments that make it tell of its flags; none for a program that is on no machine of the tests. */
  readonly help: readonly string[];
}

const flag = (program: string, ...help: string[]): OtherFlag => ({ program, help });
const curl = flag('curl', '--help', 'all');
const psql = flag('psql', '--help');
const kubectl = flag('kubectl', 'apply', '--help');
const ansible = flag('ansible-playbook', '--help');
const mysql = flag('mysql');

export const FLAGS_OF_OTHERS: ReadonlyMap<string, OtherFlag> = new Map([
  ['--root-issuer', flag('circleci')],
  ['--private', flag('circleci')],
  ['--owner-id', flag('circleci')],
  ['--input', flag('circleci')],
  ['--metafile', flag('circleci')],
  ['--enabled', flag('circleci')],
  ['--import', flag('node')],
  ['--inspect', flag('node')],
  ['--teleport', flag('npm')],
  ['--dev', flag('npm')],
  ['--tree', flag('npm')],
  ['--tag', flag('npm')],
  ['--variant', flag('npm')],
  ['--only', flag('npm')],
  ['--seed', flag('npm')],
  ['--count', flag('npm')],
  ['--parallel', flag('npm')],
  ['--add-roles', flag('tctl')],
  ['--bundle', flag('cosign')],
  ['--type', flag('cosign')],
  ['--certificate-oidc-issuer', flag('cosign')],
  ['--certificate-identity-regexp', flag('cosign')],
  ['--location', curl],
  ['--remote-name-all', curl],
  ['--cert', curl],
  ['--key', curl],
  ['--fail', curl],
  ['--data', curl],
  ['--file', psql],
  ['--username', psql],
  ['--dbname', psql],
  ['--filename', kubectl],
  ['--namespace', flag('kubectl', 'options')],
  ['--server', flag('kubectl', 'options')],
  ['--context', flag('kubectl', 'options')],
  ['--inventory', ansible],
  ['--user', ansible],
  ['--host', mysql],
  ['--port', mysql],
  ['--ssl-ca', mysql],
  ['--ssl-cert', mysql],
  ['--ssl-key', mysql],
  ['--install', flag('helm')],
]);

/** What may begin a command in a block of the language `sh`. */
export const PROGRAMS: readonly string[] = [
  ...['node', 'npm', 'git', 'cd', 'tctl', 'tsh', 'ssh', 'scp', 'sftp', 'rsync', 'curl', 'psql', 'kubectl', 'helm'],
  ...['openssl', 'export', 'cp', 'terraform', 'sudo', 'cosign', 'circleci', 'ansible', 'ansible-playbook'],
];

/** The first word of each line that does not go on from the one before. */
export function programsIn(script: string): readonly string[] {
  const lines = script.replaceAll(/\\\n/g, ' ').split('\n');
  return lines.flatMap((line) => /^(?:[A-Z_]+=\S+ )*([a-z][\w-]*)/.exec(line.trim())?.[1] ?? []);
}

const words = z.array(z.string());
const labels = z.record(z.string(), z.union([z.string(), words]));

/** The fields of a role of version 7 that the documents use. */
export const RoleFile = z.strictObject({
  kind: z.literal('role'),
  version: z.literal('v7'),
  metadata: z.strictObject({ name: z.string() }),
  spec: z.strictObject({
    options: z.looseObject({}).optional(),
    allow: z.strictObject({
      logins: words.optional(),
      node_labels: labels.optional(),
      kubernetes_labels: labels.optional(),
      kubernetes_groups: words.optional(),
      kubernetes_resources: z
        .array(z.strictObject({ kind: z.string(), namespace: z.string(), name: z.string(), verbs: words }))
        .optional(),
      db_labels: labels.optional(),
      db_users: words.optional(),
      db_names: words.optional(),
      app_labels: labels.optional(),
      workload_identity_labels: labels.optional(),
      rules: z.array(z.strictObject({ resources: words, verbs: words })).optional(),
    }),
  }),
});
