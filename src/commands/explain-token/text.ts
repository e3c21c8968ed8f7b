/** The explanation of a join token, as text and as JSON. */
import type { Style } from '../../effects/terminal.ts';
import { printable } from '../../errors.ts';
import { type AllowRule, formatRule, type RuleDifference } from '../../join/facts.ts';
import { SSH_RERUN, VCS_ORIGIN, VCS_REF } from '../../rules/claim-names.ts';
import { type Job, organizationIn, ruleClaimsOf } from '../../rules/decide.ts';
import type { LintFinding } from '../../rules/lint-rule.ts';
import { auditQueryOfToken } from '../../outputs/bot-instance.ts';
import type { Explanation } from './explain.ts';
import { findingJson, findingLines } from './lint-findings.ts';
import { genericRuleLines, type Line } from './generic-text.ts';
import { type Json, shown } from '../../rules/json.ts';
import type { JoinToken, Resource } from '../../rules/resource.ts';

export interface WholeExplanation {
  readonly file: string;
  readonly job: Job | undefined;
  readonly explained: readonly { readonly resource: Resource; readonly explanation?: Explanation }[];
  readonly findings: readonly LintFinding[];
  readonly warnings: readonly string[];
}

export function explanationText(report: WholeExplanation, style: Style): string {
  const { explained, file, findings, job, warnings } = report;
  const lines: readonly Line[] = [
    ...(job === undefined
      ? [
          'No job to compare with: only the file is checked. Pass --claims, or --organization-id, --project-id and --context-id.',
        ]
      : jobLines(job)),
    ...explained.flatMap(({ explanation, resource }) => [
      '',
      ...(resource.kind === 'token'
        ? tokenLines(resource, explanation, style)
        : [`bot "${resource.name}" is valid: roles ${resource.roles.join(', ') || 'none'}`]),
    ]),
    ...(warnings.length + findings.length === 0 ? [] : ['']),
    ...warnings.map((warning) => [style.warning('warning: '), warning] as const),
    ...findings.flatMap((finding) => findingLines(file, finding, style)),
  ];
  const texts = lines.map((line) => (typeof line === 'string' ? printable(line) : line[0] + printable(line[1])));
  return `${texts.join('\n')}\n`;
}

function jobLines({ claims, source }: Job): readonly string[] {
  const { contextIds, projectId } = ruleClaimsOf(claims);
  return [
    `The job, from ${source}:`,
    `  organization  ${organizationIn(claims) ?? 'unknown'}`,
    `  project       ${projectId ?? 'unknown'}`,
    `  contexts      ${contextIds.join(', ') || 'none'}`,
    ...Object.entries({ origin: VCS_ORIGIN, ref: VCS_REF, rerun: SSH_RERUN }).flatMap(([label, name]) =>
      claims[name] === undefined ? [] : [`  ${label.padEnd(12)}  ${shownClaim(claims[name])}`],
    ),
  ];
}

function shownClaim(value: Json | undefined): string {
  return typeof value === 'string' ? value : shown(value);
}

function tokenLines(token: JoinToken, explanation: Explanation | undefined, style: Style): readonly Line[] {
  const { botName, expiresAtMs, joinMethod, name, rules } = token;
  const ends = expiresAtMs === undefined ? '' : `, until ${new Date(expiresAtMs).toISOString()}`;
  const head = `token "${name}" is valid: join method ${joinMethod}${botName === undefined ? '' : `, bot ${botName}`}${ends}`;
  if (explanation === undefined) {
    return [head, ...rules.map(({ line, rule }) => `  ${lineText(line)}${formatRule(rule)}`)];
  }
  const { add, alsoAllows, notes, obstacles } = explanation;
  return [
    head,
    ...notes.map((note) => `  note: ${note}`),
    ...obstacles.map((obstacle) => [`  ${style.failure('no')}   `, obstacle] as const),
    ...explanation.rules.flatMap(({ differences, line, rule }): readonly Line[] => [
      [
        `  ${differences.length === 0 ? style.success('yes') : style.failure('no ')}  `,
        `${lineText(line)}${formatRule(rule)}`,
      ],
      ...differences.map((difference) => `       ${differenceText(difference)}`),
    ]),
    ...genericRuleLines(explanation.verdicts, style),
    conclusion(explanation),
    ...(add === undefined
      ? []
      : [
          '  Add this rule to spec.circleci.allow:',
          `    - ${formatRule(add)}`,
          ...alsoAllows.map((other) => `      which also allows ${other}`),
        ]),
    ...variantLines(explanation, style),
    ...(explanation.allows ? [`  To find its joins in the audit log: ${auditQueryOfToken(name)}`] : []),
  ];
}

function conclusion({ allows, outcome, reason }: Explanation): string {
  if (outcome === 'unknown') return `  Whether this token allows the job is not known: ${reason}.`;
  return allows ? `  This token allows the job: ${reason}.` : `  This token does not allow the job: ${reason}.`;
}

function variantLines({ variants }: Explanation, style: Style): readonly Line[] {
  const where = (outcome: Explanation['outcome']) =>
    variants.filter((one) => one.outcome === outcome && !one.panics).map(({ jobs }) => `       ${jobs}`);
  const admitted = where('admitted');
  const rejected = where('rejected');
  const panicking = variants.filter(({ panics }) => panics).map(({ jobs }) => `       ${jobs}`);
  return [
    ...(admitted.length === 0 ? [] : [[`  ${style.warning('It also allows')}:`, ''] as const, ...admitted]),
    ...(rejected.length === 0 ? [] : ['  It rejects:', ...rejected]),
    ...(panicking.length === 0
      ? []
      : [[`  ${style.failure('The Auth Service may stop')} (a panic) for:`, ''] as const, ...panicking]),
  ];
}

function lineText(line: number | undefined): string {
  return line === undefined ? '' : `line ${line}: `;
}

function differenceText({ field, actual, expected }: RuleDifference): string {
  const nothing = field === 'context_id' ? 'no context' : 'none';
  return `${field}: expected ${expected}, the job has ${actual.join(', ') || nothing}`;
}

/** The same with the key names of the token file. */
export function explanationJson({ explained, file, findings, job, warnings }: WholeExplanation): unknown {
  return {
    file,
    valid: true,
    ...(job === undefined
      ? {}
      : {
          job: {
            source: job.source,
            organization_id: organizationIn(job.claims),
            project_id: ruleClaimsOf(job.claims).projectId,
            context_ids: ruleClaimsOf(job.claims).contextIds,
          },
        }),
    resources: explained.map(({ explanation, resource }) =>
      resource.kind === 'bot'
        ? { kind: 'bot', name: resource.name, roles: resource.roles }
        : { ...tokenJson(resource), ...(explanation === undefined ? {} : explanationOf(explanation)) },
    ),
    warnings,
    findings: findings.map(findingJson),
  };
}

function tokenJson({ botName, genericOidc, joinMethod, name, organizationId, roles }: JoinToken) {
  return {
    kind: 'token',
    name,
    join_method: joinMethod,
    bot_name: botName,
    roles,
    organization_id: organizationId,
    audit_query: auditQueryOfToken(name),
    ...(genericOidc === undefined ? {} : { issuer: genericOidc.issuer, audience: genericOidc.audience }),
  };
}

function explanationOf(explanation: Explanation) {
  const { add, allows, alsoAllows, notes, obstacles, outcome, reason, rules, variants, verdicts } = explanation;
  return {
    allows,
    outcome,
    reason,
    obstacles,
    notes,
    rules:
      verdicts.length > 0
        ? verdicts
        : rules.map(({ differences, line, rule }) => ({
            line,
            ...ruleJson(rule),
            allows: differences.length === 0,
            differences,
          })),
    ...(add === undefined ? {} : { add: ruleJson(add), add_also_allows: alsoAllows }),
    variants,
  };
}

function ruleJson({ contextId, projectId }: AllowRule) {
  return { project_id: projectId, context_id: contextId };
}
