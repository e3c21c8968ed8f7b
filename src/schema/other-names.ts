/** Advice for keys that belong to the other version of the file format, or to another place in the file. */

/** By key: the text that follows "is ignored" in a message. */
export type OtherNames = Readonly<Record<string, string>>;

const inV2 = (advice: string): string => `: it is a key of version v1; in version v2 write ${advice}`;
const inV1 = (advice: string): string =>
  `: it is a key of version v2; in version v1 write ${advice}, or write "version: v2" at the top of the file`;
const ofV2 = ': only version v2 has it; write "version: v2" at the top of the file';
const inOnboarding = (key: string): string => `; write "${key}" below "onboarding"`;

export const TOP_OF_V2: OtherNames = {
  destinations: inV2('"outputs", with a "type" and a "destination" for each'),
  proxy: '; write "proxy_server"',
  proxy_addr: '; write "proxy_server"',
  token: inOnboarding('token'),
  join_method: inOnboarding('join_method'),
  ca_pin: inOnboarding('ca_pins'),
  ca_pins: inOnboarding('ca_pins'),
  ca_path: inOnboarding('ca_path'),
};

export const ITEM_OF_V2: OtherNames = {
  directory: inV2('"destination: {type: directory, path: DIR}"'),
  memory: inV2('"destination: {type: memory}"'),
  app: inV2('"type: application" and "app_name"'),
  database: inV2('"type: database" with "service", "database" and "username"'),
  kubernetes_cluster: inV2('"type: kubernetes" next to it'),
  configs: inV2(
    'a "type", and "format" for a database, "specific_tls_naming" for an application, "principals" for an ssh_host',
  ),
  kinds: inV2('nothing instead'),
  subtype: inV2('"format"'),
  certificate_ttl: inV2('"credential_ttl", and "renewal_interval" next to it'),
};

export const DESTINATION_OF_V2: OtherNames = {
  directory: inV2('"type: directory" and "path"'),
  memory: inV2('"type: memory"'),
};

export const ONBOARDING_NAMES: OtherNames = {
  token_name: '; write "token"',
  join_token: '; write "token"',
  auth_token: '; write "token"',
  token_path: '; write the absolute path of the file as "token"',
  token_file: '; write the absolute path of the file as "token"',
  method: '; write "join_method"',
  circleci: ': the organization and the rules are set in the join token, and the rest comes from the job',
};

export const TOP_OF_V1: OtherNames = {
  credential_ttl: inV1('"certificate_ttl"'),
  leeway: ofV2,
  join_uri: ofV2,
  insecure: ofV2,
  scoped: ofV2,
};

export const ITEM_OF_V1: OtherNames = {
  type: inV1('"app", "database" or "kubernetes_cluster", or none of them for an identity'),
  destination: inV1('"directory: DIR"'),
  app_name: inV1('"app"'),
  service: inV1('"database: {service: NAME}"'),
  username: inV1('"database: {service: NAME, username: NAME}"'),
  format: inV1('its name in "configs"'),
  principals: inV1('"configs: [ssh_host_cert: {principals: [NAME]}]"'),
  specific_tls_naming: inV1('"configs: [tls]"'),
  ...Object.fromEntries(
    ['ssh_config', 'allow_reissue', 'name', 'credential_ttl', 'renewal_interval', 'selector', 'selectors'].map(
      (key) => [key, ofV2],
    ),
  ),
};

export const PLACE_OF_V1: OtherNames = {
  type: inV1('"directory: DIR" or "memory: {}"'),
  path: inV1('"directory: DIR"'),
};
