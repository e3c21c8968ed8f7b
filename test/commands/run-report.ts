/** A report with something in every place of the page. */
import type { RunReport } from '../../src/commands/run-page.ts';
import { MachineIdError } from '../../src/errors.ts';
import { supportedOutputs } from '../../src/outputs/supported.ts';
import { configuredOutput, type SupportedOutput } from '../../src/outputs/outputs.ts';
import { planOf } from '../config/plan-of.ts';

export const NOW_MS = Date.parse('2026-11-23T10:00:00Z');

const TBOT_YAML = `version: v2
proxy_server: example.teleport.sh:443
onboarding: { join_method: circleci, token: ci }
outputs:
  - { type: identity, destination: { type: directory, path: /ci/identity } }
  - { type: database, service: orders, destination: { type: directory, path: /ci/database } }
  - { type: kubernetes, kubernetes_cluster: dev, destination: { type: memory } }
`;

/** @param text used for every value that comes from outside */
export async function reportWith(text: string): Promise<RunReport> {
  const plan = await planOf(TBOT_YAML);
  const outputs = supportedOutputs(plan).map((output): SupportedOutput => ({ ...output, name: text, roles: [text] }));
  const written = {
    path: 'outputs[0]',
    type: 'identity',
    destination: text,
    files: ['identity', text],
    roles: [text],
    logins: [text],
    expiresAtMs: NOW_MS + 3_600_000,
    notices: [text],
  };
  const failure = new MachineIdError('OUTPUTS_FAILED', `failed ${text}`, {
    hint: text,
    likelyCauses: [`first ${text}`, 'second'],
    problems: [{ path: text, line: 5, message: `fault ${text}` }],
  });
  return {
    version: '0.1.0',
    engine: 'native',
    writtenAtMs: NOW_MS,
    totalMs: 120,
    facts: {
      plan: { ...plan, address: { ...plan.address, value: text } },
      claims: {
        issuer: text,
        audiences: [text],
        authorizedParty: undefined,
        subject: text,
        issuedAtMs: NOW_MS,
        notBeforeMs: undefined,
        expiresAtMs: NOW_MS,
        organizationId: text,
        projectId: text,
        contextIds: [text],
        sshRerun: false,
        vcsOrigin: text,
        vcsRef: text,
        namesKey: true,
        payload: { sub: text },
      },
      cluster: text,
      clusterVersion: text,
      bot: text,
      joinPath: 'join-service',
      outputs: outputs.map((output) => configuredOutput(output)),
      results: [
        { status: 'fulfilled', value: written },
        { status: 'rejected', reason: new MachineIdError('RESOURCE_UNKNOWN', text, { hint: '' }) },
      ],
      exported: [text],
    },
    spans: [
      { kind: 'job', name: 'Configuration', startMs: 0, endMs: 30, outcome: 'done' },
      { kind: 'cluster', name: 'Join', startMs: 30, endMs: 90, outcome: 'failed' },
      { kind: 'output', name: text, startMs: 60, endMs: 120, outcome: 'unfinished' },
    ],
    failure,
  };
}
