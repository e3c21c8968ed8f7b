/**
 * Takes the place of the script: it reads the parameters of its step as the script does, and prints which command that
 * calls, with which flags, where, and with what token, instead of running it.
 */
import { build } from 'esbuild';
import { z } from 'zod';

const CONTENTS = `
import { errorReport } from './src/cli/print.ts';
import { invocationOf } from './src/commands/orb-step.ts';
import { systemFiles as files } from './src/effects/files.ts';
import { PLAIN as style } from './src/effects/terminal.ts';

const stderr = (text) => { process.stderr.write(text); };
const world = { environment: process.env, workingDirectory: process.cwd(), files, stderr };
invocationOf({ args: process.argv.slice(2), world }).then(
  ({ args, world: { environment } }) => {
    const token = environment.CIRCLE_OIDC_TOKEN;
    const telemetry = environment.TELEPORT_ANONYMOUS_TELEMETRY;
    const proxy = environment.TELEPORT_PROXY;
    // The key of the cache is made from this file.
    const plan = args.find((flag) => flag.startsWith('--write-plan='))?.slice(13);
    if (plan) require('fs').mkdirSync(require('path').dirname(plan), { recursive: true });
    if (plan) require('fs').writeFileSync(plan, 'plan');
    console.log(JSON.stringify({ flags: args, directory: process.cwd(), token, telemetry, proxy, options: process.env.NODE_OPTIONS }));
    process.exitCode = Number(process.env.EXIT_CODE ?? 0);
  },
  (error) => {
    stderr(errorReport(error, { debug: false, style }));
    process.exitCode = error.exitCode;
  },
);
`;

const { outputFiles } = await build({
  stdin: { contents: CONTENTS, resolveDir: '.', loader: 'js' },
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node18',
  minify: true,
});

export const STAND_IN = outputFiles[0]?.text ?? '';

const Call = z.object({
  flags: z.array(z.string()),
  directory: z.string(),
  token: z.string().optional(),
  telemetry: z.string().optional(),
  proxy: z.string().optional(),
  options: z.string().optional(),
});

/** What a step has printed, if it is one that called the script. */
export function callIn(stdout: string): z.infer<typeof Call> | undefined {
  return stdout.startsWith('{"flags":') ? Call.parse(JSON.parse(stdout)) : undefined;
}
