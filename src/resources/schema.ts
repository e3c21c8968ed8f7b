/** The keys of the resources, as tctl reads them: it turns YAML into JSON, and takes no number for a text. */
import * as z from 'zod/mini';
import { type Field, ignored, list, record, refuse } from '../config/schema/field.ts';
import { section as anySection } from '../config/schema/section.ts';
import { Scalar } from '../config/yaml/scalar.ts';

type Shape = Readonly<Record<string, Field<unknown>>>;

/** Older releases of tctl passed over what they did not know, and a rule was wider than it looked. */
function section<S extends Shape>(shape: S, program = 'tctl') {
  return anySection(shape, `is refused by ${program}`);
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

function tokenSpec(program?: string) {
  const circleci = {
    organization_id: text,
    allow: list(section({ project_id: text, context_id: text }, program)),
  };
  const others = Object.fromEntries(OTHER_SETTINGS.map((name) => [name, ignored]));
  const own = { roles: textList, join_method: text, bot_name: text, circleci: section(circleci, program) };
  return section({ ...own, ...others }, program);
}

function botSpec(program?: string) {
  return section({ roles: textList, traits: ignored, max_session_ttl: text }, program);
}

export const TOKEN = section({ ...HEADER, spec: tokenSpec(), status: ignored });

export const BOT = section({ ...HEADER, spec: botSpec(), status: ignored, scope: text });

/** What kubectl refuses beside the keys of its own. */
const KUBECTL = 'kubectl';

const OBJECT = {
  apiVersion: text,
  kind: text,
  metadata: section(
    {
      name: text,
      ...Object.fromEntries(
        [
          ...['namespace', 'labels', 'annotations', 'uid', 'resourceVersion', 'generation', 'creationTimestamp'],
          ...['managedFields', 'finalizers', 'ownerReferences', 'generateName', 'selfLink'],
          ...['deletionTimestamp', 'deletionGracePeriodSeconds'],
        ].map((name) => [name, ignored]),
      ),
    },
    KUBECTL,
  ),
  status: ignored,
};

/** The same as custom resources of Teleport's Kubernetes operator. */
export const TOKEN_OBJECT = section({ ...OBJECT, spec: tokenSpec(KUBECTL) }, KUBECTL);

export const BOT_OBJECT = section({ ...OBJECT, spec: botSpec(KUBECTL) }, KUBECTL);
