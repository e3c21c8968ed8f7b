/** Finds join tokens and bots in Terraform's files. Values that are not literals only Terraform can evaluate. */
import * as z from 'zod/mini';
import { type HclBlock, type HclProblem, readHclResources } from './hcl.ts';

export interface TerraformResource {
  readonly type: string;
  /** Its name in Terraform. */
  readonly label: string;
  /** Its name in Teleport; undefined for an expression. */
  readonly name: string | undefined;
  readonly line: number | undefined;
}

const TCTL_KINDS: ReadonlyMap<string, 'token' | 'bot'> = new Map([
  ['teleport_provision_token', 'token'],
  ['teleport_bot', 'bot'],
]);

/** The blocks of a Terraform file; undefined if it is a plan or JSON instead. */
export function terraformBlocks(text: string): readonly HclBlock[] | HclProblem | undefined {
  return /^[ \t]*resource[ \t]+"/m.test(text) ? readHclResources(text, new Set(TCTL_KINDS.keys())) : undefined;
}

export function kindOfBlock({ type }: HclBlock): 'token' | 'bot' {
  return TCTL_KINDS.get(type) ?? 'token';
}

/** Bounds the work: each block searches the rest of the file. */
const MAX_BLOCKS = 100;

/** Reads HCL, its JSON form, a plan or a state. Returns nothing for other files. */
export function terraformResources(text: string): readonly TerraformResource[] {
  // A printed plan has a sign before each line.
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

/** What the user can do instead. */
export function terraformAdvice({ label, name, type }: Omit<TerraformResource, 'line'>): string {
  const kind = TCTL_KINDS.get(type) ?? 'token';
  return `${type}.${label} is a Terraform resource, whose expressions cannot be evaluated here; apply it, then check the result in the cluster: tctl get ${kind}/${name ?? 'NAME'} | machine-id explain-token -`;
}

/** The name is in `metadata`, or, for a bot, directly in the block. */
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
    // A plan lists the same resource in several places.
    return [...new Map(found.map((one) => [`${one.type}.${one.label}`, one])).values()];
  } catch {
    return []; // not JSON; perhaps YAML with a comment about Terraform
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

/** A resource of a plan or a state. */
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
