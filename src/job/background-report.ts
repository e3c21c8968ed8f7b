/** The lines between a process in the background and the one that starts it. */
import * as z from 'zod/mini';
import { ERROR_CODES, MachineIdError } from '../errors.ts';
import { BACKGROUND_KINDS } from './manifest.ts';

/** The first line: who the new process is. */
const Instruction = z.strictObject({
  kind: z.enum(BACKGROUND_KINDS),
  name: z.string(),
  status: z.string(),
  log: z.string(),
});

export type Instruction = z.infer<typeof Instruction>;

/** The answer: it is ready, or it has failed. */
const Answer = z.union([
  z.strictObject({ ready: z.record(z.string(), z.unknown()) }),
  z.strictObject({
    failed: z.strictObject({
      code: z.enum(ERROR_CODES),
      message: z.string(),
      hint: z.string(),
      likelyCauses: z.array(z.string()),
      problems: z.array(
        z.strictObject({
          path: z.string(),
          line: z.optional(z.number()),
          message: z.string(),
          hint: z.optional(z.string()),
        }),
      ),
    }),
  }),
]);

export type Answer = z.infer<typeof Answer>;

/** Undefined if it is not an instruction. */
export function readInstruction(line: string | undefined): Instruction | undefined {
  return parsed(Instruction, line);
}

/** Undefined if it is not an answer. */
export function readAnswer(line: string | undefined): Answer | undefined {
  return parsed(Answer, line);
}

function parsed<T>(schema: z.ZodMiniType<T>, line: string | undefined): T | undefined {
  try {
    return line === undefined ? undefined : z.safeParse(schema, JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Without the cause, which is in the log. */
export function failureAnswer({ code, hint, likelyCauses, message, problems }: MachineIdError): Answer {
  return {
    failed: { code, message, hint, likelyCauses: [...likelyCauses], problems: problems.map((one) => ({ ...one })) },
  };
}

/** The error as the other process had it. */
export function failureOfAnswer({ failed }: Extract<Answer, { readonly failed: unknown }>): MachineIdError {
  const [message = '', ...lines] = failed.message.split('\n');
  return new MachineIdError(failed.code, message, {
    lines,
    hint: failed.hint,
    likelyCauses: failed.likelyCauses,
    problems: failed.problems.map(({ hint, line, message: text, path }) => ({
      path,
      message: text,
      ...(line === undefined ? {} : { line }),
      ...(hint === undefined ? {} : { hint }),
    })),
  });
}
