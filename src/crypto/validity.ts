/** Points in time as certificates and messages give them. */

/** ISO 8601 in UTC without milliseconds: `2026-11-23T10:00:00Z`. */
export function utcTime(timeMs: number): string {
  if (!Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15) return String(timeMs);
  return new Date(timeMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
