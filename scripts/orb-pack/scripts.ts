/** Assembles the scripts of the orb from the parts that they share. */
import { OrbSourceError } from './source-error.ts';

/** A line that includes a part. */
const PART = /^\. (parts\/[a-z-]+\.sh)$/gm;
const SCRIPT = /^scripts\/([^/]+\.sh)$/;
const PARTS = 'scripts/parts/';
/**
 * The directory of the assembled scripts, from which commands include them. It does not exist in the sources, so that
 * CircleCI's packers reject these: they would pack scripts without their parts.
 */
const WHOLE = 'scripts/made-by-orb-pack/';

/**
 * The source tree with assembled scripts and without parts: each step of a job is one text.
 * @throws OrbSourceError
 */
export function withWholeScripts(files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const problems: string[] = [];
  const whole = [...files]
    .filter(([path]) => !path.startsWith(PARTS))
    .map(([path, text]) => {
      const [, name] = SCRIPT.exec(path) ?? [];
      if (name === undefined) return [path, text] as const;
      return [`${WHOLE}${name}`, asStep(withParts(text, files, path, problems))] as const;
    });
  if (problems.length > 0) throw new OrbSourceError(problems);
  return new Map(whole);
}

function withParts(script: string, files: ReadonlyMap<string, string>, path: string, problems: string[]): string {
  return script.replace(PART, (line, part: string) => {
    const text = files.get(`scripts/${part}`);
    if (text === undefined) problems.push(`${path}: there is no scripts/${part}`);
    return text?.trimEnd() ?? line;
  });
}

/**
 * Removes all comments except the first, which describes the step, and all indentation but one space: each use of a
 * command contains the whole text.
 */
function asStep(script: string): string {
  const [shebang = '', title = '', ...lines] = script.split('\n');
  const rest = lines.filter((line) => !/^\s*#/.test(line));
  const narrow = rest.map((line) => line.replace(/^ +/, ' '));
  return [shebang, title, ...narrow].join('\n').replaceAll(/\n{3,}/g, '\n\n');
}
