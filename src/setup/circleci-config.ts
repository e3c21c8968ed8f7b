/** A job for `.circleci/config.yml` that joins and uses what it then has. */
import { consumerSteps, imageFor } from './consumer-steps.ts';
import { escaped } from './expression.ts';
import type { Setup, SetupPlace } from './setup.ts';
import { comment, indented, scalar } from './yaml-text.ts';

/** Stands for the name that somebody must look up. */
const UNKNOWN_CONTEXT = 'NAME-OF-THE-CONTEXT';

export function circleciConfig(setup: Setup, { folder, version }: SetupPlace): string {
  return `# A job for .circleci/config.yml: merge it into what stands there.
version: 2.1

orbs:
  machine-id: teleport/machine-id@${version}

jobs:
  teleport:
${indented(imageFor(setup.outputs), 4)}
    steps:
      - checkout
      - machine-id/install
      - machine-id/join:
          config: ${configText(`${folder}tbot.yaml`)}
${indented(consumerSteps(setup), 6)}
workflows:
  teleport:
    jobs:
${indented(jobWithContext(setup), 6)}
`;
}

function jobWithContext({ contextId, contextName }: Setup): string {
  if (contextId === undefined) return '- teleport';
  const how =
    contextName === undefined
      ? `Write the name of the context ${contextId.text} here:\nOrganization Settings, Contexts, the one whose page has a URL that ends in this id.`
      : `The context ${contextId.text}, which the join token asks for.`;
  return `- teleport:\n${indented(comment(how), 4)}\n    context: ${configText(contextName ?? UNKNOWN_CONTEXT)}`;
}

function configText(text: string): string {
  return scalar(escaped(text));
}
