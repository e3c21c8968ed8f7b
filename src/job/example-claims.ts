/** All claims of an OIDC token, or of a file with a token or with the JSON of its claims. */
import { decodeJwt } from 'jose';
import * as z from 'zod/mini';
import { MachineIdError } from '../errors.ts';
import { decodeClaims } from './oidc-claims.ts';

/** By name, as the token has them. */
export type ClaimSet = Readonly<Record<string, unknown>>;

/** Those that this program reads have their types. */
const Claims = z.looseObject({
  iss: z.optional(z.string()),
  aud: z.optional(z.union([z.string(), z.array(z.string())])),
  azp: z.optional(z.string()),
  'oidc.circleci.com/org-id': z.optional(z.string()),
  'oidc.circleci.com/project-id': z.optional(z.string()),
  'oidc.circleci.com/context-ids': z.optional(z.array(z.string())),
});

/**
 * @param source the file's name, for messages
 * @throws MachineIdError OIDC_TOKEN_MALFORMED; its message contains no part of the text
 */
export function readExampleClaims(text: string, source: string): ClaimSet {
  const trimmed = text.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(trimmed)) {
    decodeClaims(trimmed, source, "Put the whole token into the file, as in the job's CIRCLE_OIDC_TOKEN.");
    return claimsOf(trimmed);
  }
  const { data } = Claims.safeParse(parseJson(trimmed));
  if (data === undefined) throw malformed(source);
  return data;
}

/** @param jwt that `decodeClaims` has read before */
export function claimsOf(jwt: string): ClaimSet {
  return decodeJwt(jwt);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function malformed(source: string): MachineIdError {
  return new MachineIdError(
    'OIDC_TOKEN_MALFORMED',
    `${source} contains neither an OIDC token nor the JSON of its claims`,
    {
      hint: 'Name the claims as CircleCI does, for example {"iss": "https://oidc.circleci.com/org/ID", "oidc.circleci.com/project-id": "ID", "oidc.circleci.com/context-ids": ["ID"]}, or use --project-id and the other flags.',
    },
  );
}
