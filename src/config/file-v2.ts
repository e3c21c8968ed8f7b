/** The file format `version: v2`. */
import * as z from 'zod/mini';
import { destination } from '../schema/destination.ts';
import {
  anyExpression,
  anyText,
  duration,
  type Field,
  ignored,
  list,
  optionalFlag,
  pathText,
  refuse,
  section,
  type SectionOf,
  text,
  textList,
} from '../schema/fields.ts';
import { ONBOARDING_NAMES, TOP_OF_V2 } from '../schema/other-names.ts';
import { refuseCaPin } from '../schema/values.ts';
import { outputItem, serviceItem } from './items.ts';

const caPin: Field<string> = z.pipe(
  anyText,
  z.transform((pin: string, context) => {
    const refusal = refuseCaPin(pin);
    return refusal === undefined ? pin.toLowerCase() : refuse(context, refusal);
  }),
);

/**
 * The sections of other join methods are read only to tell their keys from mistyped ones. What flags and variables often
 * replace, token and addresses, is checked for variables only where it counts.
 */
const ONBOARDING = {
  token: anyExpression,
  join_method: text,
  ca_pins: list(caPin),
  ca_path: pathText,
  azure: section({ client_id: text }),
  gitlab: section({ token_env_var_name: text }),
  terraform: section({ audience_tag: text }),
  kubernetes: section({ token_path: pathText }),
  generic_oidc: section({ env: text, command: textList, timeout: duration }),
  bound_keypair: section({
    registration_secret: text,
    registration_secret_path: pathText,
    static_key_path: pathText,
    static_private_key_path: pathText,
  }),
};

export const onboarding = section(ONBOARDING, undefined, ONBOARDING_NAMES);

const SHAPE = {
  version: ignored,
  auth_server: anyExpression,
  proxy_server: anyExpression,
  join_uri: anyExpression,
  onboarding,
  storage: z.optional(destination),
  outputs: list(outputItem),
  services: list(serviceItem),
  certificate_ttl: duration,
  credential_ttl: duration,
  renewal_interval: duration,
  leeway: duration,
  oneshot: optionalFlag,
  fips: optionalFlag,
  insecure: optionalFlag,
  debug: optionalFlag,
  diag_addr: text,
  scoped: optionalFlag,
};

export type FileV2 = SectionOf<typeof SHAPE>;

export const fileV2: Field<FileV2> = section(SHAPE, undefined, TOP_OF_V2);
