/** Reads `spec.generic_oidc`, and reports what Teleport rejects when the token is created. */
import type { SourceFile } from '../config/source.ts';
import { isMapping } from '../schema/yaml/tree.ts';
import { type Condition, OPERATORS } from './conditions.ts';
import { hasFieldRule } from './field-rules.ts';
import type { AllowEntry } from './generic-oidc.ts';
import type { WrittenCondition, WrittenGenericOidc } from './generic-oidc-keys.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import type { GenericOidc, ResourceForm } from './resource.ts';

const AT = ['spec', 'generic_oidc'] as const;

/** Adds problems to the findings of the file. */
export function readGenericOidc(file: SourceFile, written: WrittenGenericOidc, form: ResourceForm): GenericOidc {
  const {
    audience = '',
    insecure_allow_http_issuer: allowsHttp,
    issuer = '',
    must_match_fields: writtenFields,
  } = written;
  checkIssuerAndAudience(file, { issuer, audience, allowsHttp });
  if (form === 'operator') refuseNestedFields(file, writtenFields);
  // Terraform's provider does not have this key.
  const mustMatchFields = form === 'terraform' ? {} : writtenFields;
  if (isGiven(file) && !hasFieldRule(mustMatchFields) && written.allow_any.length === 0) {
    file.findings.addProblem(
      file.origin(...AT),
      'the "generic_oidc" join method requires at least one rule under either `must_match_fields` or `allow_any`',
    );
  }
  return {
    issuer,
    audience,
    allowsHttp,
    hasStaticKeys: written.static_jwks !== undefined,
    writtenFields,
    mustMatchFields,
    fieldsLine: file.origin(...AT, 'must_match_fields').line,
    allowAny: written.allow_any.map((entry, at) => readEntry(file, entry, at)),
  };
}

function isGiven(file: SourceFile): boolean {
  const spec = file.root.get('spec');
  return isMapping(spec) && isMapping(spec.get('generic_oidc'));
}

interface Origins {
  readonly issuer: string;
  readonly audience: string;
  readonly allowsHttp: boolean;
}

function checkIssuerAndAudience(file: SourceFile, { allowsHttp, audience, issuer }: Origins): void {
  const { findings } = file;
  if (!isGiven(file)) {
    const message = '"generic_oidc" configuration must be provided for join method "generic_oidc"';
    findings.addProblem(file.origin(...AT), message);
    return;
  }
  for (const [key, value] of Object.entries({ issuer, audience })) {
    if (value !== '') continue;
    findings.addProblem(file.origin(...AT, key), `the "generic_oidc" join method requires '${key}' to be set`);
  }
  if (issuer === '' || issuer.startsWith('https://') || (allowsHttp && issuer.startsWith('http://'))) return;
  findings.addProblem(
    file.origin(...AT, 'issuer'),
    'must be an https URL, the claim iss of the OIDC token to the letter',
  );
}

/** The operator fails to create such a token. */
function refuseNestedFields(file: SourceFile, fields: JsonObject): void {
  for (const [key, value] of Object.entries(fields)) {
    if (!isJsonObject(value)) continue;
    file.findings.addProblem(
      file.origin(...AT, 'must_match_fields', key),
      "nested fields are rejected by Teleport's Kubernetes operator; use an expression",
    );
  }
}

function readEntry(file: SourceFile, entry: WrittenGenericOidc['allow_any'][number], at: number): AllowEntry {
  const { conditions, expression } = entry;
  const origin = file.origin(...AT, 'allow_any', at);
  const { line } = origin;
  const refuse = (message: string) => {
    file.findings.addProblem(origin, message);
  };
  if (conditions.length > 0 && expression !== undefined) {
    refuse(`allow_any[${at}]: cannot contain both \`conditions\` and \`expression\``);
  }
  if (expression !== undefined) return { line, expression };
  if (conditions.length === 0) {
    refuse(`allow_any[${at}]: exactly one of \`conditions\` or \`expression\` must be set`);
  }
  return {
    line,
    conditions: conditions.map((one, index) => readCondition(file, one, [...AT, 'allow_any', at, 'conditions', index])),
  };
}

function readCondition(file: SourceFile, written: WrittenCondition, path: readonly (string | number)[]): Condition {
  const { attribute } = written;
  const given = OPERATORS.filter((operator) => written[operator] !== undefined);
  const [operator = 'eq'] = given;
  if (attribute === undefined) file.findings.addProblem(file.origin(...path), 'attribute must be set');
  if (given.length !== 1) {
    file.findings.addProblem(file.origin(...path), `exactly one of ${OPERATORS.join(', ')} must be set`);
  }
  const operand = written[operator];
  const values = operand === undefined ? [] : 'values' in operand ? operand.values : [operand.value];
  return { attribute: attribute ?? '', operator, values };
}
