/** The steps of the orb, by name: the command that each one calls, and the parameters that it passes. */
import type { Declaration, Declarations, OrbParameter } from '../config/declaration.ts';
import { CLEANUP } from './cleanup.ts';
import { DOCTOR } from './doctor/flags.ts';
import { EXEC } from './exec/flags.ts';
import { INSTALL_TOOLS } from './install-tools/flags.ts';
import { RUN } from './run-flags.ts';
import { TUNNEL } from './tunnel/flags.ts';

/** What the value of a parameter sets. */
export interface StepParameter extends Declaration {
  readonly orb: OrbParameter;
}

interface OrbStep {
  readonly command: string;
  readonly parameters: readonly StepParameter[];
}

export const ORB_STEPS: Readonly<Record<string, OrbStep>> = {
  join: { command: 'run', parameters: parametersOf(RUN, 'join') },
  tunnel: { command: 'tunnel', parameters: parametersOf(TUNNEL, 'tunnel') },
  doctor: { command: 'doctor', parameters: parametersOf(DOCTOR, 'doctor') },
  plan_tools: { command: 'install-tools', parameters: parametersOf(INSTALL_TOOLS, 'plan_tools') },
  install_tools: { command: 'install-tools', parameters: parametersOf(INSTALL_TOOLS, 'install_tools') },
  exec: { command: 'exec', parameters: parametersOf(EXEC, 'exec') },
  cleanup: { command: 'cleanup', parameters: parametersOf(CLEANUP, 'cleanup') },
};

function parametersOf(declarations: Declarations, step: string): readonly StepParameter[] {
  return Object.values(declarations).flatMap(({ orb, ...declaration }) =>
    orb !== undefined && (orb.steps ?? [step]).includes(step) ? [{ ...declaration, orb }] : [],
  );
}
