/** Loads a plan from the text of a tbot.yaml, without touching the disk. */
import assert from 'node:assert/strict';
import type { RunFlags } from '../../src/config/settings.ts';
import { loadPlan } from '../../src/config/load.ts';
import type { Plan } from '../../src/config/plan.ts';
import type { TunnelFlags } from '../../src/config/source.ts';
import { MachineIdError, type Problem } from '../../src/errors.ts';

interface World {
  readonly flags?: RunFlags;
  readonly environment?: Readonly<Record<string, string>>;
  /** Other files by their path. */
  readonly files?: Readonly<Record<string, string>>;
  /** For the command that opens tunnels. */
  readonly tunnelFlags?: TunnelFlags;
}

/** The plan of a job whose `--config` is `text`; with `undefined`, of a job without a file. */
export function planOf(
  text: string | undefined,
  { flags = {}, environment = {}, files = {}, tunnelFlags }: World = {},
): Promise<Plan> {
  const all = new Map(Object.entries(files));
  if (text !== undefined) all.set('tbot.yaml', text);
  return loadPlan({
    flags: text === undefined ? flags : { config: 'tbot.yaml', ...flags },
    environment,
    tunnelFlags,
    workingDirectory: '/checkout',
    readFile: (path) => {
      const contents = all.get(path);
      return contents === undefined ? Promise.reject(new Error('no such file')) : Promise.resolve(contents);
    },
  });
}

/** The error that loading ends with; fails when there is a plan instead. */
export async function errorOf(text: string | undefined, world: World = {}): Promise<MachineIdError> {
  const result = await planOf(text, world).catch((error: unknown) => error);
  assert.ok(result instanceof MachineIdError, `expected a MachineIdError, got ${JSON.stringify(result)}`);
  return result;
}

/** The faults as `path:line: message`. */
export async function faultsOf(text: string | undefined, world: World = {}): Promise<readonly string[]> {
  const error = await errorOf(text, world);
  assert.equal(error.code, 'CONFIG_INVALID');
  return error.problems.map(formatFault);
}

function formatFault({ path, line, message }: Problem): string {
  return `${path}${line === undefined ? '' : `:${line}`}: ${message}`;
}

/** A v2 file that needs nothing more; `rest` follows from line 4 on. */
export function v2(rest: string): string {
  return `version: v2\nproxy_server: proxy.example.com:443\nonboarding: {token: my-token}\n${rest}`;
}

/** A v2 file with one output or service whose keys are `keys`, the first on line 5. */
export function v2Item(type: string, keys: readonly string[]): string {
  return v2(`outputs:\n- ${[...keys, `type: ${type}`].join('\n  ')}\n`);
}
