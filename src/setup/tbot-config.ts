/** `tbot.yaml`: where a job joins, and what it writes (configuration reference 1.2). */
import type { SupportedOutput } from '../config/supported.ts';
import { typeFields } from '../config/tbot-file.ts';
import type { Setup } from './setup.ts';
import { entry, indented, scalar } from './yaml-text.ts';

export function tbotConfig({ outputs, proxy, token }: Setup): string {
  return `# Where a job joins and what it writes: for the orb's command run, and for tbot itself.
version: v2
# The web address of the Proxy.
${entry('proxy_server', proxy)}
onboarding:
  join_method: circleci
  # The name of the join token in bot-token.yaml; not a secret.
  ${entry('token', token)}
oneshot: true
storage:
  type: memory
# Each in a folder of its own. They stand outside the checkout, so that no cache, workspace or artifact takes the keys
# along. Neither ~ nor variables are expanded in a path.
outputs:
${outputs.map((output) => indented(outputItem(output), 2)).join('')}`;
}

function outputItem(output: SupportedOutput): string {
  const { destination, type } = output;
  const lines = [
    entry('type', type),
    ...Object.entries(typeFields(output)).map(([key, value]) => entry(key, value)),
    'destination:',
    `  type: ${destination.type}`,
    ...(destination.type === 'directory' ? [`  path: ${scalar(destination.path)}`] : []),
  ];
  return `- ${indented(lines.join('\n'), 2).trimStart()}\n`;
}
