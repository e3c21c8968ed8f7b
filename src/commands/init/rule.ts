/** Which jobs a setup admits, as the rules of a generic_oidc token. */
import { CONTEXT_IDS, PROJECT_ID, SSH_RERUN, VCS_ORIGIN, VCS_REF } from '../../rules/claim-names.ts';
import type { JsonObject } from '../../rules/json.ts';
import type { Setup } from './setup.ts';

/** What `spec.generic_oidc` contains besides issuer and audience. */
export interface GeneratedRules {
  /** Empty for Terraform, whose provider drops them. */
  readonly mustMatchFields: JsonObject;
  /** The parts that `&&` joins; none if the fields say everything. */
  readonly expression: readonly string[];
}

export function rulesOf(setup: Setup): GeneratedRules {
  return setup.form === 'terraform' ? inExpression(setup) : inFields(setup);
}

/** One literal branch or tag is a field; contexts and patterns need an expression. */
function inFields(setup: Setup): GeneratedRules {
  const { allowsSshRerun = false, origin, refs = [] } = setup.generic ?? {};
  const [ref, ...otherRefs] = refs;
  const isLiteral = ref !== undefined && otherRefs.length === 0 && !ref.includes('*');
  return {
    mustMatchFields: {
      [PROJECT_ID]: setup.projectId.text,
      ...(origin === undefined ? {} : { [VCS_ORIGIN]: origin.text }),
      ...(isLiteral ? { [VCS_REF]: ref } : {}),
      ...(allowsSshRerun ? {} : { [SSH_RERUN]: false }),
    },
    expression: [...(isLiteral ? [] : refParts(refs)), ...contextParts(setup)],
  };
}

/**
 * The boolean comes last: it has no form without a bare index, which is a panic if the claim is absent, and is reached
 * only by tokens of the project on an admitted branch.
 */
function inExpression(setup: Setup): GeneratedRules {
  const { allowsSshRerun = false, origin, refs = [] } = setup.generic ?? {};
  return {
    mustMatchFields: {},
    expression: [
      oneOf(PROJECT_ID, [setup.projectId.text]),
      ...(origin === undefined ? [] : [oneOf(VCS_ORIGIN, [origin.text])]),
      ...refParts(refs),
      ...contextParts(setup),
      ...(allowsSshRerun ? [] : [`!${claim(SSH_RERUN)}`]),
    ],
  };
}

function refParts(refs: readonly string[]): readonly string[] {
  const literals = refs.filter((ref) => !ref.includes('*'));
  const patterns = refs.filter((ref) => ref.includes('*'));
  const parts = [
    ...(literals.length === 0 ? [] : [oneOf(VCS_REF, literals)]),
    ...patterns.map((pattern) => `regexp.match(set(${claim(VCS_REF)}), ${quoted(pattern)})`),
  ];
  if (parts.length < 2) return parts;
  return [`(${parts.join(' || ')})`];
}

function contextParts({ contextIds }: Setup): readonly string[] {
  return contextIds.length === 0
    ? []
    : [
        oneOf(
          CONTEXT_IDS,
          contextIds.map(({ text }) => text),
        ),
      ];
}

/** Never a bare index: `set` of an absent claim is an error, not a panic. */
function oneOf(name: string, values: readonly string[]): string {
  const [only = '', ...others] = values;
  return others.length === 0
    ? `contains(set(${claim(name)}), ${quoted(only)})`
    : `contains_any(set(${claim(name)}), set(${values.map(quoted).join(', ')}))`;
}

function claim(name: string): string {
  return `claims[${quoted(name)}]`;
}

/** JSON's escapes are Go's, too. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
