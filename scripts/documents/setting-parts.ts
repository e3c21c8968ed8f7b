/** The tables of settings and of exported variables, from their declarations. */
import { VARIABLES } from '../../src/commands/exports.ts';
import type { Declaration } from '../../src/config/declaration.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { code, markdownTable, prose } from './markdown.ts';
import type { Parts } from './regions.ts';

type FileSetting = Declaration & { readonly file: string; readonly since?: string };

const EFFECTS = {
  none: ' Checked, but has no effect.',
  tbot: ' Checked, but has an effect with `engine: tbot` only.',
};

/** `keys of the file` is for tbot-yaml.md, `variables without a flag` for cli.md, `exported variables` for exports.md. */
export function settingParts(): Parts {
  const settings: readonly object[] = Object.values(SETTINGS);
  return new Map([
    [
      'keys of the file',
      markdownTable(['Key', 'Flag', 'Variable', 'Orb parameter', 'Meaning'], settings.filter(isOfFile).map(row)),
    ],
    ['variables without a flag', settings.filter(isVariableOnly).map(line).join('\n')],
    [
      'exported variables',
      markdownTable(
        ['Variable', 'Value'],
        Object.entries(VARIABLES).map(([name, value]) => [code(name), prose(value)]),
      ),
    ],
  ]);
}

function isOfFile(setting: object): setting is FileSetting {
  return 'file' in setting;
}

type VariableOnly = Declaration & { readonly env: string };

function isVariableOnly(setting: object): setting is VariableOnly {
  return 'env' in setting && !('flag' in setting) && !('file' in setting);
}

function line({ env, help }: VariableOnly): string {
  return `- ${code(env)}: ${prose(help)}`;
}

function row({ effect, env, file, flag, help, orb, since }: FileSetting): readonly string[] {
  const notes = [
    since === undefined ? '' : ` From \`version: ${since}\` on.`,
    effect === undefined ? '' : EFFECTS[effect],
  ];
  return [
    code(file),
    flag === undefined ? '' : code(`--${flag}`),
    env === undefined ? '' : code(env),
    orb === undefined ? '' : code(orb.name),
    prose(help) + notes.join(''),
  ];
}
