/** The explanation of a join token, as text and as JSON. */
import type { Style } from '../../effects/terminal.ts';
import { printable } from '../../errors.ts';
import { type AllowRule, formatRule, type RuleDifference } from '../../join/facts.ts';
import type { Explanation, JobFacts } from './explain.ts';
import type { JoinToken, Resource } from './resource.ts';

export interface WholeExplanation {
  readonly file: string;
  readonly job: JobFacts | undefined;
  readonly explained: readonly { readonly resource: Resource; readonly explanation?: Explanation }[];
  readonly warnings: readonly string[];
}

/** A line, or a styled prefix and the text after it, which may contain input and is made printable. */
type Line = string | readonly [styled: string, text: string];

export function explanationText({ explained, job, warnings }: WholeExplanation, style: Style): string {
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
    ...(warnings.length === 0
      ? []
      : ['', ...warnings.map((warning) => [style.warning('warning: '), warning] as const)]),
  ];
  const texts = lines.map((line) => (typeof line === 'string' ? printable(line) : line[0] + printable(line[1])));
  return `${texts.join('\n')}\n`;
}

function jobLines({ contextIds, organizationId, projectId, source }: JobFacts): readonly string[] {
  return [
    `The job, from ${source}:`,
    `  organization  ${organizationId ?? 'unknown'}`,
    `  project       ${projectId ?? 'unknown'}`,
    `  contexts      ${contextIds.join(', ') || 'none'}`,
  ];
}

function tokenLines(token: JoinToken, explanation: Explanation | undefined, style: Style): readonly Line[] {
  const { botName, expiresAtMs, joinMethod, name, rules } = token;
  const ends = expiresAtMs === undefined ? '' : `, until ${new Date(expiresAtMs).toISOString()}`;
  const head = `token "${name}" is valid: join method ${joinMethod}${botName === undefined ? '' : `, bot ${botName}`}${ends}`;
  if (explanation === undefined)
    return [head, ...rules.map(({ line, rule }) => `  ${lineText(line)}${formatRule(rule)}`)];
  const { add, allows, alsoAllows, obstacles } = explanation;
  return [
    head,
    ...obstacles.map((obstacle) => [`  ${style.failure('no')}   `, obstacle] as const),
    ...explanation.rules.flatMap(({ differences, line, rule }): readonly Line[] => [
      [
        `  ${differences.length === 0 ? style.success('yes') : style.failure('no ')}  `,
        `${lineText(line)}${formatRule(rule)}`,
      ],
      ...differences.map((difference) => `       ${differenceText(difference)}`),
    ]),
    allows ? '  This token allows the job.' : '  This token does not allow the job.',
    ...(add === undefined
      ? []
      : [
          '  Add this rule to spec.circleci.allow:',
          `    - ${formatRule(add)}`,
          ...alsoAllows.map((other) => `      which also allows ${other}`),
        ]),
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
export function explanationJson({ explained, file, job, warnings }: WholeExplanation): unknown {
  return {
    file,
    valid: true,
    ...(job === undefined
      ? {}
      : {
          job: {
            source: job.source,
            organization_id: job.organizationId,
            project_id: job.projectId,
            context_ids: job.contextIds,
          },
        }),
    resources: explained.map(({ explanation, resource }) =>
      resource.kind === 'bot'
        ? { kind: 'bot', name: resource.name, roles: resource.roles }
        : { ...tokenJson(resource), ...(explanation === undefined ? {} : explanationOf(explanation)) },
    ),
    warnings,
  };
}

function tokenJson({ botName, joinMethod, name, organizationId, roles }: JoinToken) {
  return {
    kind: 'token',
    name,
    join_method: joinMethod,
    bot_name: botName,
    roles,
    organization_id: organizationId,
  };
}

function explanationOf({ add, allows, alsoAllows, obstacles, rules }: Explanation) {
  return {
    allows,
    obstacles,
    rules: rules.map(({ differences, line, rule }) => ({
      line,
      ...ruleJson(rule),
      allows: differences.length === 0,
      differences,
    })),
    ...(add === undefined ? {} : { add: ruleJson(add), add_also_allows: alsoAllows }),
  };
}

function ruleJson({ contextId, projectId }: AllowRule) {
  return { project_id: projectId, context_id: contextId };
}
