/** The keys of the resources, as Teleport reads them: what it does not know it ignores. */
import { ignored, list, text, textList } from '../config/schema/field.ts';
import { section } from '../config/schema/section.ts';

const metadata = section({
  name: text,
  expires: text,
  namespace: ignored,
  description: ignored,
  labels: ignored,
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
  scope: ignored,
});

export const ANY = section({ ...HEADER });
