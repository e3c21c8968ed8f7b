/** Finds the text of the configuration: a file, or the text itself in base64. */
import { Buffer } from 'node:buffer';
import { fileFault } from '../effects/file-error.ts';
import { MachineIdError } from '../errors.ts';
import { given } from './environment-settings.ts';
import type { Findings } from './findings.ts';
import type { PlanInputs } from './load.ts';
import { named } from './settings.ts';
import { unexpandedPath } from './unexpanded.ts';

export interface ConfigText {
  /** How messages name it: the path as given, or the flag or variable that holds the text. */
  readonly name: string;
  /** `undefined` after a fault. */
  readonly text: string | undefined;
}

/** `undefined` when none is named. Rejects with `CONFIG_UNREADABLE` when the file can't be read. */
export async function readConfigText(inputs: PlanInputs, findings: Findings): Promise<ConfigText | undefined> {
  for (const { path, pathName, encoded, encodedName } of places(inputs)) {
    if (path !== undefined && encoded !== undefined) {
      findings.refuse(named(encodedName), `is given beside ${pathName}; give one of the two`);
      return { name: pathName, text: undefined };
    }
    const unexpanded = unexpandedPath(path ?? '');
    if (unexpanded !== undefined) {
      findings.refuse(named(pathName), unexpanded);
      return { name: pathName, text: undefined };
    }
    if (path !== undefined) return { name: path, text: await readText(path, pathName, inputs.readFile) };
    if (encoded !== undefined) return decode(encoded, encodedName, findings);
  }
  return undefined;
}

/** In the order in which they count. */
function places({ flags, environment }: PlanInputs) {
  return [
    {
      path: flags.config === '' ? undefined : flags.config,
      pathName: '--config',
      encoded: flags.configString === '' ? undefined : flags.configString,
      encodedName: '--config-string',
    },
    {
      path: given(environment, 'TBOT_CONFIG_PATH'),
      pathName: 'TBOT_CONFIG_PATH',
      encoded: given(environment, 'TBOT_CONFIG'),
      encodedName: 'TBOT_CONFIG',
    },
  ];
}

async function readText(path: string, pathName: string, readFile: PlanInputs['readFile']): Promise<string> {
  try {
    return await readFile(path);
  } catch (cause) {
    const message = `failed to open file: ${path}, named by ${pathName}: ${fileFault(cause)}`;
    throw new MachineIdError('CONFIG_UNREADABLE', message, {
      hint: 'Check the path, which is relative to the working directory of the step; a job has the files of the repository only after "checkout". Or leave the file out and give --proxy-server, --token and --destination.',
      cause,
    });
  }
}

function decode(encoded: string, name: string, findings: Findings): ConfigText {
  const compact = encoded.replace(/\s/g, '');
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return { name, text: Buffer.from(compact, 'base64').toString('utf8') };
  findings.refuse(named(name), 'must be the text of a configuration file in base64');
  return { name, text: undefined };
}
