/** Reads the claims of another job from a file with its token, or with the JSON of its claims. */
import * as z from 'zod/mini';
import { MachineIdError } from '../errors.ts';
import { decodeClaims, organizationOf } from './oidc-claims.ts';

export interface JobIds {
  readonly organizationId: string | undefined;
  readonly projectId: string | undefined;
  readonly contextIds: readonly string[];
  /** Undefined if the claims have none. */
  readonly audiences: readonly string[] | undefined;
  readonly authorizedParty: string | undefined;
}

const Claims = z.object({
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
export function readExampleClaims(text: string, source: string): JobIds {
  const trimmed = text.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(trimmed)) {
    const { audiences, authorizedParty, contextIds, issuer, projectId } = decodeClaims(
      trimmed,
      source,
      "Put the whole token into the file, as in the job's CIRCLE_OIDC_TOKEN.",
    );
    return { audiences, authorizedParty, contextIds, projectId, organizationId: organizationOf(issuer) };
  }
  const { data } = Claims.safeParse(parseJson(trimmed));
  if (data === undefined) throw malformed(source);
  const { aud, azp } = data;
  return {
    audiences: typeof aud === 'string' ? [aud] : aud,
    authorizedParty: azp,
    organizationId: data.iss === undefined ? data['oidc.circleci.com/org-id'] : organizationOf(data.iss),
    projectId: data['oidc.circleci.com/project-id'],
    contextIds: data['oidc.circleci.com/context-ids'] ?? [],
  };
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
