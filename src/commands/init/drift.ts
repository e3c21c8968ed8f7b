/** `init --drift`: compares bots and tokens of the cluster with the list. */
import type { World } from '../../effects/world.ts';
import { MachineIdError, pluralize, printable } from '../../errors.ts';
import { readResources } from '../../rules/read-resources.ts';
import type { Bot, JoinToken, Resource } from '../../rules/resource.ts';
import { readTokenFile } from '../explain-token/read-token-file.ts';
import type { Listed } from './from-list.ts';

/** @throws MachineIdError CONFIG_UNREADABLE, CONFIG_INVALID, SETUP_DRIFT */
export async function reportDrift({ resources: { contents, name } }: Listed, world: World): Promise<void> {
  const hint = 'Pipe the resources in: tctl get tokens,bots | machine-id init --from-list FILE --drift';
  const actual = readResources(await readTokenFile('-', world, hint), 'standard input').resources;
  const lines = driftBetween(readResources(contents, name).resources, actual);
  await world.stdout(lines.map((line) => `${printable(line)}\n`).join('') || 'The cluster has what the list says.\n');
  if (lines.length === 0) return;
  throw new MachineIdError('SETUP_DRIFT', `the cluster differs from the list in ${pluralize(lines.length, 'place')}`, {
    hint: 'Run init --from-list without --drift and create the resources again, or correct the list.',
  });
}

/** One sentence for each difference. Tokens of other join methods, and their bots, are not compared. */
export function driftBetween(expected: readonly Resource[], actual: readonly Resource[]): readonly string[] {
  const ofList = expected.flatMap((wanted) => {
    const what = `${wanted.kind} "${wanted.name}"`;
    const found = actual.find(({ kind, name }) => kind === wanted.kind && name === wanted.name);
    if (found === undefined) return [`${what} is missing in the cluster`];
    const [of, is] = [comparable(wanted), comparable(found)];
    return (
      Object.keys(of)
        // In Terraform, the token refers to the bot by an expression.
        .filter((key) => !(key === 'bot_name' && wanted.kind === 'token' && wanted.form === 'terraform'))
        .filter((key) => JSON.stringify(of[key]) !== JSON.stringify(is[key]))
        .map(
          (key) => `${what}: ${key} is ${JSON.stringify(is[key])} in the cluster, expected ${JSON.stringify(of[key])}`,
        )
    );
  });
  const names = new Set(expected.filter(({ kind }) => kind === 'token').map(({ name }) => name));
  const others = actual.filter(isForJobs).filter(({ name }) => !names.has(name));
  return [...ofList, ...others.map(({ name }) => `token "${name}" is not in the list`)];
}

function isForJobs(resource: Resource): resource is JoinToken {
  return (
    resource.kind === 'token' &&
    resource.roles.includes('Bot') &&
    ['circleci', 'generic_oidc'].includes(resource.joinMethod)
  );
}

/** What decides who may join and as what, in an order that does not depend on the file. */
function comparable(resource: Resource): Readonly<Record<string, unknown>> {
  return resource.kind === 'bot' ? comparableBot(resource) : comparableToken(resource);
}

function comparableBot({ roles }: Bot) {
  return { roles: [...roles].sort() };
}

function comparableToken({ botName, expiresAtMs, genericOidc, joinMethod, organizationId, roles, rules }: JoinToken) {
  const { allowAny = [], audience, issuer, mustMatchFields = {} } = genericOidc ?? {};
  return {
    join_method: joinMethod,
    roles: [...roles].sort(),
    bot_name: botName,
    expires: expiresAtMs,
    organization_id: organizationId,
    allow: rules.map(({ rule: { contextId, projectId } }) => `${String(projectId)} ${String(contextId)}`).sort(),
    issuer,
    audience,
    must_match_fields: Object.fromEntries(
      Object.entries(mustMatchFields).sort(([one], [other]) => (one < other ? -1 : 1)),
    ),
    allow_any: allowAny.map((entry) => ('expression' in entry ? entry.expression.trim() : entry.conditions)),
  };
}
