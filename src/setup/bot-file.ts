/** `bot.yaml`: the bot that jobs become (configuration reference 7.3). */
import type { Setup } from './setup.ts';
import { scalar } from './yaml-text.ts';

export function botFile({ bot, roles }: Pick<Setup, 'bot' | 'roles'>): string {
  return `# The bot that jobs become. Teleport has this kind of resource from version 15 on.
kind: bot
version: v1
metadata:
  name: ${scalar(bot)}
spec:
  # What the bot may do: only the roles that the jobs need.
  roles:
${roles.map((role) => `    - ${scalar(role)}\n`).join('')}`;
}
