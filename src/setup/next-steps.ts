/** What to do with the files of a set-up, as commands to paste. */
import type { Setup, SetupPlace } from './setup.ts';
import { pathWord, shellWord } from './shell-text.ts';

/**
 * The bot as a resource and `tctl bots add` both work from Teleport 15 on, the oldest that this program joins; the latter
 * wants the token to be there first.
 * @param program the command line that calls this program
 */
export function nextSteps({ bot, roles, token }: Setup, { folder, written }: SetupPlace, program: string): string {
  const create = (name: string) => `tctl create -f ${pathWord(`${written}${name}`)}`;
  const roleList = shellWord(roles.join(','));
  return `1. With rights to create bots and tokens (any Teleport from 15 on):

     ${create('bot.yaml')}
     ${create('bot-token.yaml')}

   or, as it was done up to Teleport 15, without bot.yaml:

     ${create('bot-token.yaml')}
     tctl bots add ${shellWord(bot)} --roles=${roleList} --token=${shellWord(token)}

2. Commit ${written}tbot.yaml${written === folder ? '' : ` (the config names it ${folder}tbot.yaml)`}, and merge ${written}circleci-config.yml into .circleci/config.yml.

3. Look at it before the first run:

     ${program} explain-token ${pathWord(`${written}bot-token.yaml`)}

   and in a job: the orb's command machine-id/doctor with config: ${folder}tbot.yaml
`;
}
