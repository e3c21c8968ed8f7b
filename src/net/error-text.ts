/** Reads the error bodies of Teleport's HTTP endpoints. */
import * as z from 'zod/mini';
import { oneLine } from './network-error.ts';

/** Teleport's own errors always have `error`; others have the text in `message`. */
const TraceBody = z.object({
  error: z.optional(z.object({ message: z.optional(z.string()) })),
  message: z.optional(z.string()),
});

/** @returns the server's text on one line, or undefined if the body is not Teleport's error JSON */
export function errorText(body: string): string | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined; // for example an HTML page of a load balancer: not worth quoting
  }
  const parsed = TraceBody.safeParse(json);
  if (!parsed.success) return undefined;
  const text = parsed.data.error?.message ?? parsed.data.message;
  return text === undefined ? undefined : oneLine(text);
}
