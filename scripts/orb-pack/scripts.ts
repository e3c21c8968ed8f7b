/** Puts the scripts of the orb together from the parts that several of them share. */
import { OrbSourceError } from './source-error.ts';

/** A line that reads in a part. */
const PART = /^\. (parts\/[a-z-]+\.sh)$/gm;
const SCRIPT = /^scripts\/([^/]+\.sh)$/;
const PARTS = 'scripts/parts/';
/**
 * Where whole scripts go, and where commands include them from. The orb's own folder has no such folder, so that
 * CircleCI's packers refuse it: they would pack scripts without their parts.
 */
const WHOLE = 'scripts/made-by-orb-pack/';

/**
 * The source tree with whole scripts and without parts: each step of a job is one text.
 * @throws OrbSourceError
 */
export function withWholeScripts(files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const faults: string[] = [];
  const whole = [...files]
    .filter(([path]) => !path.startsWith(PARTS))
    .map(([path, text]) => {
      const [, name] = SCRIPT.exec(path) ?? [];
      if (name === undefined) return [path, text] as const;
      return [`${WHOLE}${name}`, asStep(withParts(text, files, path, faults))] as const;
    });
  if (faults.length > 0) throw new OrbSourceError(faults);
  return new Map(whole);
}

function withParts(script: string, files: ReadonlyMap<string, string>, path: string, faults: string[]): string {
  return script.replace(PART, (line, part: string) => {
    const text = files.get(`scripts/${part}`);
    if (text === undefined) faults.push(`${path}: there is no scripts/${part}`);
    return text?.trimEnd() ?? line;
  });
}

/** Without its comments but the first, which says what the step does: each use of a command carries its whole text. */
function asStep(script: string): string {
  const [shebang = '', title = '', ...lines] = script.split('\n');
  const rest = lines.filter((line) => !/^\s*#/.test(line));
  return [shebang, title, ...rest].join('\n').replaceAll(/\n{3,}/g, '\n\n');
}
