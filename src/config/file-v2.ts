/** The file format `version: v2`. */
import * as z from 'zod/mini';
import {
  type Context,
  type Field,
  ignored,
  list,
  pathText,
  refuse,
  section,
  type SectionOf,
  text,
} from '../schema/fields.ts';
import { ONBOARDING_NAMES, TOP_OF_V2 } from '../schema/other-names.ts';
import { outputItem, serviceItem } from './items.ts';
import { fileFields } from './settings.ts';

/** Of newer versions of tbot. If it were ignored, another token would be used instead. */
const unsupportedSource = z.transform((input: unknown, context: Context) =>
  input === undefined ? undefined : refuse(context, 'is not supported here: use "command", "env" or --audience'),
);

/** The sections of other join methods are known only to distinguish their keys from mistyped ones. */
export const onboarding = section(
  {
    ...fileFields('v1', 'onboarding'),
    azure: section({ client_id: text }),
    gitlab: section({ token_env_var_name: text }),
    terraform: section({ audience_tag: text }),
    kubernetes: section({ token_path: pathText }),
    generic_oidc: section({ ...fileFields('v1', 'generic_oidc'), http_request: unsupportedSource }),
    bound_keypair: section({
      registration_secret: text,
      registration_secret_path: pathText,
      static_key_path: pathText,
      static_private_key_path: pathText,
    }),
  },
  undefined,
  ONBOARDING_NAMES,
);

const SHAPE = {
  version: ignored,
  onboarding,
  ...fileFields('v2'),
  outputs: list(outputItem),
  services: list(serviceItem),
};

export type FileV2 = SectionOf<typeof SHAPE>;

export const fileV2: Field<FileV2> = section(SHAPE, undefined, TOP_OF_V2);
