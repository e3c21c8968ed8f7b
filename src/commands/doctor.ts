/** `doctor`: checks everything that a run needs, without changing anything, and suggests fixes. */
import type { Check, CheckState } from '../doctor/check.ts';
import { examine } from '../doctor/examine.ts';
import { styleFor, type Style } from '../effects/style.ts';
import { VERSION } from '../effects/version.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, printableJson } from '../errors.ts';
import { reportEgress } from './doctor-egress.ts';
import { readDoctorArguments } from './doctor-flags.ts';
import { writeJunit } from './junit-file.ts';

/** @throws MachineIdError DOCTOR_FAILED when a check failed; USAGE_INVALID, DESTINATION_UNWRITABLE */
export async function doctor(args: readonly string[], world: World): Promise<void> {
  const { egress, junit, json, mirrors, ...given } = readDoctorArguments(args);
  if (egress) {
    await reportEgress({ ...given, mirrors, junit, json }, world);
    return;
  }
  const { mask } = world;
  const checks = (await examine({ ...given, version: VERSION }, world)).map((one) => masked(one, mask));
  if (junit !== undefined) await writeJunit(junit, checks, world);
  await (json
    ? world.result(`${printableJson({ version: VERSION, ...counts(checks), checks })}\n`)
    : world.stdout(checkList(checks, styleFor(world.stdoutIsTerminal, world.environment))));
  const { failed } = counts(checks);
  if (failed > 0) {
    throw new MachineIdError('DOCTOR_FAILED', `${failed} of ${checks.length} checks failed`, {
      hint: 'Fix the first one, whose cure is printed beside it; others may follow from it.',
    });
  }
}

function masked({ cure, detail, ...one }: Check, mask: World['mask']): Check {
  return {
    ...one,
    detail: mask.apply(detail),
    ...(cure === undefined ? {} : { cure: mask.apply(cure) }),
  };
}

function counts(checks: readonly Check[]): Readonly<Record<'passed' | 'warned' | 'failed' | 'skipped', number>> {
  const count = (state: CheckState) => checks.filter((one) => one.state === state).length;
  return { passed: count('pass'), warned: count('warn'), failed: count('fail'), skipped: count('skip') };
}

const PAINTS = { pass: 'good', warn: 'doubtful', fail: 'bad', skip: 'faint' } as const;

function checkList(checks: readonly Check[], style: Style): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap(({ cure, detail, state, title }) => {
    const [first = '', ...more] = detail.split('\n');
    const indent = ' '.repeat(6 + width + 2);
    return [
      `${style[PAINTS[state]](state)}  ${title.padEnd(width)}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
      ...(cure === undefined ? [] : [`${indent}${style.strong('cure:')} ${cure}`]),
    ];
  });
  const { failed, passed, skipped, warned } = counts(checks);
  return `${lines.join('\n')}\n\n${passed} passed, ${warned} warned, ${failed} failed, ${skipped} skipped\n`;
}
