/** The keys of the resources, as tctl reads them: it turns YAML into JSON, and takes no number for a text. */
import * as z from 'zod/mini';
import { type Field, ignored, list, record, refuse } from '../config/schema/field.ts';
import { section as anySection } from '../config/schema/section.ts';
import { Scalar } from '../config/yaml/scalar.ts';

type Shape = Readonly<Record<string, Field<unknown>>>;

/** Older releases of tctl passed over what they did not know, and a rule was wider than it looked. */
function section<S extends Shape>(shape: S) {
  return anySection(shape, 'is refused by tctl');
}

/** Absent, null and empty are the same. Its faults quote nothing: a name can be a secret. */
const text: Field<string | undefined> = z.transform((input, context) => {
  if (input === undefined) return undefined;
  if (!(input instanceof Scalar)) return refuse(context, 'must be text, and not a list or a mapping');
  if (input.tag === 'null') return undefined;
  if (input.tag !== 'str') return refuse(context, 'must be text, and this reads as another type; put it in quotes');
  return input.text === '' ? undefined : input.text;
});

const textList = list(
  z.pipe(
    text,
    z.transform((value: string | undefined) => value ?? ''),
  ),
);

const metadata = section({
  name: text,
  expires: text,
  namespace: ignored,
  description: ignored,
  labels: record(text),
  id: ignored,
  revision: ignored,
});

const HEADER = { kind: text, version: text, sub_kind: ignored, metadata };

/** Join methods with settings below their own name, and what tokens of other kinds of agents carry. */
const OTHER_SETTINGS = [
  ...['allow', 'aws_iid_ttl', 'suggested_labels', 'suggested_agent_matcher_labels', 'integration'],
  ...['github', 'gitlab', 'kubernetes', 'azure', 'gcp', 'spacelift', 'tpm', 'terraform_cloud', 'bitbucket', 'oracle'],
  ...['azure_devops', 'env0', 'bound_keypair'],
];

export const TOKEN = section({
  ...HEADER,
  spec: section({
    roles: textList,
    join_method: text,
    bot_name: text,
    circleci: section({
      organization_id: text,
      allow: list(section({ project_id: text, context_id: text })),
    }),
    ...Object.fromEntries(OTHER_SETTINGS.map((name) => [name, ignored])),
  }),
  status: ignored,
});

export const BOT = section({
  ...HEADER,
  spec: section({ roles: textList, traits: ignored, max_session_ttl: text }),
  status: ignored,
  scope: text,
});
