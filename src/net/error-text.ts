/** The error bodies of Teleport's HTTP endpoints. */
import * as z from 'zod/mini';
import { oneLine } from './network-error.ts';

/** `error` is always there for Teleport's own errors; for others the text is in `message`. */
const TraceBody = z.object({
  error: z.optional(z.object({ message: z.optional(z.string()) })),
  message: z.optional(z.string()),
});

/** @returns the server's text on one line, or undefined when the body is not Teleport's error JSON */
export function errorText(body: string): string | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined; // an HTML page of a load balancer, say: nothing worth quoting
  }
  const answer = TraceBody.safeParse(json);
  if (!answer.success) return undefined;
  const text = answer.data.error?.message ?? answer.data.message;
  return text === undefined ? undefined : oneLine(text);
}
