/** The keys of `spec.generic_oidc` (generic_oidc reference, "Token resource"). */
import * as z from 'zod/mini';
import { type Context, type Field, flag, list, record, refuse } from '../schema/fields.ts';
import { isList, isMapping, Scalar } from '../schema/yaml/tree.ts';
import type { Json } from './json.ts';
import { anyText, optional, section, text, textList, textOr } from './resource-fields.ts';

const fieldRule: Field<Json> = z.transform((input: unknown, context: Context) => fieldAt(input, context, []));

function fieldAt(input: unknown, context: Context, path: readonly string[]): Json {
  if (!isMapping(input)) return valueOf(input, context, path);
  return Object.fromEntries([...input].map(([key, value]) => [key, fieldAt(value, context, [...path, key])]));
}

/** A value of YAML 1.1, which has more words for true and false. */
function valueOf(input: unknown, context: Context, path: readonly string[]): Json {
  if (isList(input)) return refuse(context, 'list fields cannot be used in `must_match_fields`', path);
  if (!(input instanceof Scalar)) return null;
  switch (input.tag) {
    case 'null':
      return null;
    case 'bool':
      return input.text.toLowerCase() === 'true';
    case 'str':
      return (input.isPlain ? WORDS.get(input.text.toLowerCase()) : undefined) ?? input.text;
    case 'int':
    case 'float': {
      const isDecimal = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(input.text);
      return isDecimal
        ? Number(input.text)
        : refuse(context, 'write the number in decimal digits, or put it in quotes', path);
    }
    default:
      return input.tag satisfies never;
  }
}

const WORDS: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'yes', 'on'].map((word) => [word, true] as const),
  ...['n', 'no', 'off'].map((word) => [word, false] as const),
]);

export interface WrittenCondition extends Partial<
  Readonly<Record<'eq' | 'not_eq', { readonly value: string } | undefined>>
> {
  readonly attribute: string | undefined;
  readonly in?: { readonly values: readonly string[] } | undefined;
  readonly not_in?: { readonly values: readonly string[] } | undefined;
}

export interface WrittenGenericOidc {
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly tls_ca: string | undefined;
  readonly static_jwks: string | undefined;
  readonly insecure_allow_http_issuer: boolean;
  readonly must_match_fields: Readonly<Record<string, Json>>;
  readonly allow_any: readonly {
    readonly conditions: readonly WrittenCondition[];
    readonly expression: string | undefined;
  }[];
}

/** @param program that rejects unknown keys */
export function genericOidcKeys(program?: string): Field<WrittenGenericOidc> {
  const one = optional(section({ value: anyText }, program));
  const several = optional(section({ values: textList }, program));
  const condition = section({ attribute: text, eq: one, not_eq: one, in: several, not_in: several }, program);
  return section(
    {
      issuer: text,
      audience: textOr('must be one text: Teleport checks a single audience, which must be one of the OIDC token'),
      tls_ca: text,
      static_jwks: textOr('must be text with the JWKS as JSON, not a mapping'),
      insecure_allow_http_issuer: flag,
      must_match_fields: record(fieldRule),
      allow_any: list(section({ conditions: list(condition), expression: text }, program)),
    },
    program,
  );
}
