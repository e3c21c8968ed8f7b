/** Teleport's own programs, as far as they can be installed. */

export const TOOLS = ['tsh', 'tctl', 'tbot', 'teleport', 'teleport-update'] as const;

export type Tool = (typeof TOOLS)[number];

/** The names in a list separated by spaces or commas, each once; `unknown` holds names that are not Teleport programs. */
export function parseTools(text: string): { readonly tools: readonly Tool[]; readonly unknown: readonly string[] } {
  const names = [...new Set(text.split(/[\s,]+/).filter((name) => name !== ''))];
  const tools = TOOLS.filter((tool) => names.includes(tool));
  return { tools, unknown: names.filter((name) => !tools.some((tool) => tool === name)) };
}
