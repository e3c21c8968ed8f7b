/** OIDC tokens of a job, and an agent that prints them. */
import type { CommandResult, Commands } from '../../src/effects/programs.ts';

export const ORGANIZATION = '11111111-2222-4333-8444-555555555555';
export const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const NOW_S = NOW_MS / 1000;

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Issued ten seconds ago for an hour. */
export function jwt(change: Record<string, unknown> = {}): string {
  const claims = {
    iss: `https://oidc.circleci.com/org/${ORGANIZATION}`,
    aud: ORGANIZATION,
    sub: `org/${ORGANIZATION}/project/p/user/u`,
    iat: NOW_S - 10,
    exp: NOW_S + 3600,
    'oidc.circleci.com/project-id': 'p',
    'oidc.circleci.com/context-ids': ['c1', 'c2'],
    ...change,
  };
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.c2lnbmF0dXJl`;
}

export type Answer = CommandResult | readonly CommandResult[];

export const MISSING: CommandResult = { exitCode: undefined, missing: true, stdout: '', stderr: '' };

export function gives(token: string): CommandResult {
  return { exitCode: 0, stdout: `${token}\n`, stderr: '' };
}

/** Answers as told, the last answer again and again, and records what was asked. */
export function commandsThat(answers: Readonly<Record<string, Answer>>, asked: string[][] = []): Commands {
  return {
    run: (file, args) => {
      const before = asked.filter(([program]) => program === file).length;
      asked.push([file, ...args]);
      const given = [answers[file] ?? MISSING].flat();
      return Promise.resolve(given[before] ?? given.at(-1) ?? MISSING);
    },
  };
}
