/** The files of a set-up, in the order in which somebody needs them. */
import { botFile } from './bot-file.ts';
import { circleciConfig } from './circleci-config.ts';
import type { Setup, SetupFile, SetupPlace } from './setup.ts';
import { tbotConfig } from './tbot-config.ts';
import { tokenFile } from './token-file.ts';

export const SETUP_FILE_NAMES: readonly SetupFile['name'][] = [
  'bot.yaml',
  'bot-token.yaml',
  'tbot.yaml',
  'circleci-config.yml',
];

export function setupFiles(setup: Setup, place: SetupPlace): readonly SetupFile[] {
  return SETUP_FILE_NAMES.map((name) => ({ name, contents: contentsOf(name, setup, place) }));
}

function contentsOf(name: SetupFile['name'], setup: Setup, place: SetupPlace): string {
  switch (name) {
    case 'bot.yaml':
      return botFile(setup);
    case 'bot-token.yaml':
      return tokenFile(setup);
    case 'tbot.yaml':
      return tbotConfig(setup);
    case 'circleci-config.yml':
      return circleciConfig(setup, place);
    default:
      return name satisfies never;
  }
}

/** All of them as one stream of YAML documents. */
export function asOneStream(files: readonly SetupFile[], folder: string): string {
  return files.map(({ contents, name }) => `---\n# ${folder}${name}\n${contents}`).join('');
}
