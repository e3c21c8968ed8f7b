/** `teleport.tf`: bot and join token for Terraform's provider, which has no `must_match_fields`. */
import { comment, indented } from './quoting.ts';
import { allowedJobs } from './render-resources.ts';
import { rulesOf } from './rule.ts';
import type { GenericRule, Setup } from './setup.ts';

export function terraformFile(setup: Setup): string {
  const { bot, generic, roles, token } = setup;
  const label = labelFor(bot);
  const settings = generic === undefined ? circleciSettings(setup) : genericSettings(setup, generic);
  return `# The bot that jobs become.
resource "teleport_bot" "${label}" {
  name = ${text(bot)}
  # Only the roles that the jobs need.
  roles = [${roles.map(text).join(', ')}]
}

# The join token, which decides which jobs can become the bot. It contains no secrets.
resource "teleport_provision_token" "${label}" {
  version = "v2"
  metadata = {
    # tbot.yaml refers to the token by this name.
    name = ${text(token)}
  }
  spec = {
    roles       = ["Bot"]
    join_method = "${generic === undefined ? 'circleci' : 'generic_oidc'}"
    bot_name    = teleport_bot.${label}.name
${indented(settings, 4)}
  }
}
`;
}

function circleciSettings({ contextIds, organizationId, projectId }: Setup): string {
  const project = `project_id = ${text(projectId.text)}`;
  const rules =
    contextIds.length === 0 ? [project] : contextIds.map((context) => `${project}, context_id = ${text(context.text)}`);
  return `circleci = {
  organization_id = ${text(organizationId.text)}
  # A job must match every field of at least one rule. The method circleci does not compare branches, tags or forks.
  allow = [
${rules.map((rule) => `    { ${rule} },\n`).join('')}  ]
}`;
}

function genericSettings(setup: Setup, { allowsSshRerun, audience, issuer }: GenericRule): string {
  const notes = [
    `This allows:\n${allowedJobs(setup)
      .map((jobs) => `- ${jobs}`)
      .join('\n')}`,
    ...(allowsSshRerun
      ? []
      : ['The boolean comes last: evaluating it for a token without the claim would be a panic in the Auth Service.']),
  ];
  return `generic_oidc = {
  issuer   = ${text(issuer)}
  audience = ${text(audience)}
${indented(comment(notes.join('\n')), 2)}
  allow_any = [{
    expression = <<-EOT
${indented(template(rulesOf(setup).expression.join(' &&\n')), 6)}
    EOT
  }]
}`;
}

/** A quoted text of HCL. */
function text(value: string): string {
  return template(JSON.stringify(value));
}

/** Escapes what would start a template. */
function template(value: string): string {
  return value.replace(/([$%])\{/g, '$1$1{');
}

/** A name in Terraform. */
function labelFor(bot: string): string {
  const label = bot.replace(/[^A-Za-z0-9_-]/g, '_');
  return /^[A-Za-z_]/.test(label) ? label : `bot_${label}`;
}
