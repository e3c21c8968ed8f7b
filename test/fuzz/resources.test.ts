/** Fuzzes files of join tokens and bots. */
import assert from 'node:assert/strict';
import { explainToken } from '../../src/commands/explain-token/explain.ts';
import { readResources } from '../../src/rules/read-resources.ts';
import { MachineIdError } from '../../src/errors.ts';
import { textLike } from './mutations.ts';
import { fuzz } from './property.ts';

const FILES = `kind: token
version: v2
metadata: {name: t, expires: "2030-01-01T00:00:00Z", labels: {team: ci}}
spec:
  roles: [Bot]
  join_method: circleci
  bot_name: ci
  circleci:
    organization_id: 11111111-2222-4333-8444-555555555555
    allow: [{project_id: p, context_id: c}, {context_id: &c d}, {context_id: *c}]
---
kind: bot
version: v1
metadata: {name: ci}
spec: {roles: [access], max_session_ttl: 12h}
`;

const OTHER_FORMS = `apiVersion: resources.teleport.dev/v2
kind: TeleportProvisionToken
metadata: {name: ci, labels: {a: b}}
spec: {roles: [Bot], bot_name: ci, join_method: circleci, circleci: {organization_id: o, allow: [{project_id: p}]}}
---
kind: List
items: [{apiVersion: resources.teleport.dev/v1, kind: TeleportBotV1, metadata: {name: ci}, spec: {roles: [access]}}]
`;

const TERRAFORM = `# a token
resource "teleport_provision_token" "ci" {
  version  = "v2"
  metadata = { name = "ci", labels = { "a" : var.b } }
  spec = {
    roles        = ["Bot"]
    bot_name     = teleport_bot.ci.name
    join_method  = "generic_oidc"
    generic_oidc = {
      issuer   = "https://oidc.circleci.com/org/o"
      audience = "a"
      allow_any = [{ expression = <<-EOT
        contains(set(claims["oidc.circleci.com/project-id"]), "p")
        EOT
      }]
    }
  }
}
resource "teleport_bot" "ci" {
  name = "ci"
  roles = ["access"]
}
`;

const GENERIC = `kind: token
version: v2
metadata: {name: ci}
spec:
  roles: [Bot]
  bot_name: ci
  join_method: generic_oidc
  generic_oidc:
    issuer: https://oidc.circleci.com/org/o
    audience: a
    must_match_fields: {oidc.circleci.com/project-id: p, oidc.circleci.com/ssh-rerun: false, iat: 5, x: {y: ~}}
    allow_any:
      - conditions: [{attribute: sub, eq: {value: s}}, {attribute: iat, not_in: {values: ["5", "6"]}}]
      - expression: 'contains_any(set(claims["oidc.circleci.com/context-ids"]), set("c")) && !claims.rerun || claims["a"] == "b"'
`;

const JOB = {
  source: 'a test',
  claims: {
    iss: 'https://oidc.circleci.com/org/o',
    aud: ['a'],
    sub: 's',
    iat: 5,
    'oidc.circleci.com/project-id': 'p',
    'oidc.circleci.com/context-ids': ['c'],
  },
};

fuzz(
  'a changed file of resources is read, or refused with every fault in its place',
  textLike(
    [FILES, OTHER_FORMS, TERRAFORM, GENERIC],
    [
      '---\n',
      'kind: ',
      '[',
      ']',
      '&s ',
      '*s',
      '~',
      '""',
      '__proto__: ',
      'labels: {',
      'join_method: token',
      '1e3',
      '? ',
      '&& ',
      '(',
      '"',
      '== ',
      '<<EOT',
    ],
  ),
  (text) => {
    try {
      for (const resource of readResources(text, 'f').resources) {
        if (resource.kind === 'token') assert.equal(typeof explainToken(resource, JOB, 0).allows, 'boolean');
      }
    } catch (error) {
      assert.ok(error instanceof MachineIdError && error.code === 'CONFIG_INVALID', String(error));
      assert.ok(error.problems.length > 0);
    }
  },
  { runs: 1500 },
);
