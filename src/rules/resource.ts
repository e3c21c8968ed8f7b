/** The resources that a setup creates in Teleport: the bot, and the join token that allows jobs to become it. */
import type { Origin } from '../config/findings.ts';
import type { SourceFile } from '../config/source.ts';
import type { AllowRule } from '../join/facts.ts';
import { ignored, list, record } from '../schema/fields.ts';
import type { Path } from '../schema/yaml/tree.ts';
import type { GenericOidcRules } from './generic-oidc.ts';
import { genericOidcKeys } from './generic-oidc-keys.ts';
import type { JsonObject } from './json.ts';
import { section, text, textList } from './resource-fields.ts';

/** For `tctl create`, for Teleport's Kubernetes operator (`resources.teleport.dev`), or for Terraform's provider. */
export type ResourceForm = 'tctl' | 'operator' | 'terraform';

/** Something with a line in its file. */
interface WithLine {
  readonly line: number | undefined;
}

export interface RuleWithLine extends WithLine {
  readonly rule: AllowRule;
}

export interface JoinToken extends WithLine {
  readonly kind: 'token';
  readonly form: ResourceForm;
  /** The place of a key or item, or of the nearest value around it. */
  readonly at: (...path: Path) => Origin;
  /** Safe to print: a secret name is masked as in Teleport. */
  readonly name: string;
  /** Milliseconds since the Unix epoch; undefined if the token does not expire. */
  readonly expiresAtMs: number | undefined;
  readonly joinMethod: string;
  readonly roles: readonly string[];
  readonly botName: string | undefined;
  /** This and `rules` are set only for the join method `circleci`. */
  readonly organizationId: string | undefined;
  readonly rules: readonly RuleWithLine[];
  /** Set only for the join method `generic_oidc`. */
  readonly genericOidc: GenericOidc | undefined;
}

/** `spec.generic_oidc` as the cluster gets it. */
export interface GenericOidc extends GenericOidcRules {
  readonly issuer: string;
  readonly audience: string;
  readonly allowsHttp: boolean;
  /** Whether the keys of the issuer are in the token, so that nothing is fetched. */
  readonly hasStaticKeys: boolean;
  /** As the file has them: Terraform's provider drops them. */
  readonly writtenFields: JsonObject;
}

export interface Bot extends WithLine {
  readonly kind: 'bot';
  readonly at: (...path: Path) => Origin;
  readonly name: string;
  readonly roles: readonly string[];
}

export type Resource = JoinToken | Bot;

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

/** Keys with the settings of other join methods and of tokens for other agents. */
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
  const own = {
    roles: textList,
    join_method: text,
    bot_name: text,
    circleci: section(circleci, program),
    generic_oidc: genericOidcKeys(program),
  };
  return section({ ...own, ...others }, program);
}

function botSpec(program?: string) {
  return section({ roles: textList, traits: ignored, max_session_ttl: text }, program);
}

export const TOKEN = section({ ...HEADER, spec: tokenSpec(), status: ignored });

export const BOT = section({ ...HEADER, spec: botSpec(), status: ignored, scope: text });

/** A token of Terraform's provider. */
export const TOKEN_BLOCK = section({ ...HEADER, spec: tokenSpec('Terraform') }, 'Terraform');

/** The program that rejects unknown keys of a custom resource. */
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

/** The same resources as custom resources of Teleport's Kubernetes operator. */
export const TOKEN_OBJECT = section({ ...OBJECT, spec: tokenSpec(KUBECTL) }, KUBECTL);

export const BOT_OBJECT = section({ ...OBJECT, spec: botSpec(KUBECTL) }, KUBECTL);

/** Newer releases also allow a colon. */
const LABEL_KEY = /^[a-zA-Z/.0-9_:*-]+$/;

/** Adds a problem to the findings of the file for each invalid label key. */
export function checkLabels(file: SourceFile, labels: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(labels)) {
    if (LABEL_KEY.test(key)) continue;
    file.findings.addProblem(file.origin('metadata', 'labels', key), `invalid label key: ${JSON.stringify(key)}`);
  }
}

/** @param version the expected version of the custom resource in the API group of Teleport's operator */
export function checkApiVersion(file: SourceFile, given: string | undefined, version: 'v1' | 'v2'): void {
  const expected = `resources.teleport.dev/${version}`;
  if (given === expected) return;
  const problem = given === undefined ? 'is missing' : `is "${given}"`;
  file.findings.addProblem(file.origin('apiVersion'), `${problem}; write "apiVersion: ${expected}"`);
}
