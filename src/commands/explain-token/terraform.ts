/** Finds join tokens and bots in Terraform's files. Their values are expressions, which only Terraform can evaluate. */
import * as z from 'zod/mini';

export interface TerraformResource {
  readonly type: string;
  /** Terraform's name for it. */
  readonly label: string;
  /** Teleport's name for it; undefined for one that is an expression. */
  readonly name: string | undefined;
  readonly line: number | undefined;
}

const TCTL_KINDS: ReadonlyMap<string, string> = new Map([
  ['teleport_provision_token', 'token'],
  ['teleport_bot', 'bot'],
]);

/** Each is looked for in the whole file. */
const MAX_BLOCKS = 100;

/** None for a file that is not one of Terraform's: HCL, its form in JSON, a plan or a state. */
export function terraformResources(text: string): readonly TerraformResource[] {
  // A plan that is printed for people has a sign before each line.
  const blocks = [...text.matchAll(/^[ \t]*(?:[-+~/]{1,3}[ \t]+)?resource[ \t]+"(\w{1,60})"[ \t]+"([^"\n]{1,200})"/gm)];
  if (blocks.length === 0) return inJson(text);
  return blocks.slice(0, MAX_BLOCKS).flatMap(({ 0: head, 1: type = '', 2: label = '', index }): TerraformResource[] => {
    if (!TCTL_KINDS.has(type)) return [];
    const rest = text.slice(index + head.length);
    const block = rest.slice(
      0,
      /^[ \t]*(?:[-+~/]{1,3}[ \t]+)?(?:resource|data|module|variable|output|locals)\b/m.exec(rest)?.index,
    );
    return [{ type, label, name: nameIn(block), line: text.slice(0, index).split('\n').length }];
  });
}

/** What a person does with it. */
export function terraformAdvice({ label, name, type }: TerraformResource): string {
  const kind = TCTL_KINDS.get(type) ?? 'token';
  return `${type}.${label} is a resource of Terraform, whose expressions are not evaluated here; apply it, and check what the cluster then has: tctl get ${kind}/${name ?? 'NAME'} | machine-id explain-token -`;
}

/** Of a bot the name may stand in the block itself. */
function nameIn(block: string): string | undefined {
  const inside = /\bmetadata\s*=?\s*\{([^}]*)/.exec(block)?.[1] ?? block;
  return /(?:^|[\s{,])name\s*=\s*"([\w.:/@-]{1,200})"/.exec(inside)?.[1];
}

const Named = z.object({
  name: z.optional(z.string()),
  metadata: z.optional(
    z.union([
      z.looseObject({ name: z.optional(z.string()) }),
      z.array(z.looseObject({ name: z.optional(z.string()) })),
    ]),
  ),
});
const MAX_DEPTH = 12;

function inJson(text: string): readonly TerraformResource[] {
  if (![...TCTL_KINDS.keys()].some((type) => text.includes(`"${type}"`))) return [];
  try {
    const found = collect(JSON.parse(text), 0);
    // A plan lists the same resource under several headings.
    return [...new Map(found.map((one) => [`${one.type}.${one.label}`, one])).values()];
  } catch {
    return []; // YAML, perhaps with a comment about Terraform
  }
}

function collect(value: unknown, depth: number): readonly TerraformResource[] {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return [];
  const own = typedResource(value);
  if (own !== undefined) return [own];
  return Object.entries(value).flatMap(([key, inside]: [string, unknown]) => {
    if (!TCTL_KINDS.has(key) || typeof inside !== 'object' || inside === null) return collect(inside, depth + 1);
    return Object.entries(inside).map(([label, body]: [string, unknown]) => ({
      type: key,
      label,
      name: nameOf(body),
      line: undefined,
    }));
  });
}

const Typed = z.object({
  type: z.string(),
  name: z.string(),
  values: z.optional(z.unknown()),
  change: z.optional(z.object({ after: z.optional(z.unknown()) })),
  instances: z.optional(z.array(z.object({ attributes: z.optional(z.unknown()) }))),
});

/** As a plan and a state have it. */
function typedResource(value: object): TerraformResource | undefined {
  const { data } = Typed.safeParse(value);
  if (data === undefined || !TCTL_KINDS.has(data.type)) return undefined;
  const body = data.values ?? data.change?.after ?? data.instances?.[0]?.attributes;
  return { type: data.type, label: data.name, name: nameOf(body), line: undefined };
}

function nameOf(body: unknown): string | undefined {
  const { data } = Named.safeParse(Array.isArray(body) ? body[0] : body);
  const [metadata] = [data?.metadata].flat();
  const name = metadata?.name ?? data?.name;
  return name !== undefined && /^[\w.:/@-]{1,200}$/.test(name) ? name : undefined;
}
