/** Matches the arguments of a command, job or executor with its declared parameters. */
import { ConfigError } from './config-error.ts';
import { isMapping, list, mapping, text } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import type { ResolvedStep } from './steps.ts';

/** Steps are already expanded, because the names in them belong to the place where they are written. */
export type ParameterValue = string | number | boolean | readonly ResolvedStep[] | Mapping;

/** Reads argument values with the names that are valid at one place: where the steps and expressions are written. */
export interface ArgumentReader {
  plain(value: unknown, where: string): unknown;
  steps(value: unknown, where: string): readonly ResolvedStep[];
}

/**
 * @param readers one for the place of the call (arguments), one for the place of the declaration (defaults)
 * @throws ConfigError for a missing, unknown or wrongly typed argument
 */
export function resolveParameters(
  declared: unknown,
  given: Mapping,
  where: string,
  readers: { readonly given: ArgumentReader; readonly defaults: ArgumentReader },
): ReadonlyMap<string, ParameterValue> {
  const declarations = mapping(declared, `${where}.parameters`);
  const unknown = Object.keys(given).filter((name) => !(name in declarations));
  if (unknown.length > 0) throw new ConfigError(where, `Unexpected argument(s): ${unknown.join(', ')}`);
  return new Map(
    Object.entries(declarations).map(([name, entry]) => {
      const place = `${where}.${name}`;
      const declaration = mapping(entry, place);
      const isGiven = (given[name] ?? undefined) !== undefined;
      return [
        name,
        isGiven
          ? typed(declaration, given[name], place, readers.given)
          : typed(declaration, requiredDefault(declaration, place), place, readers.defaults),
      ];
    }),
  );
}

function requiredDefault(declaration: Mapping, where: string): unknown {
  const value = declaration.default;
  if (value === undefined || value === null) throw new ConfigError(where, 'Missing required argument');
  return value;
}

function typed(declaration: Mapping, written: unknown, where: string, reader: ArgumentReader): ParameterValue {
  const type = text(declaration.type, `${where}.type`);
  if (type === 'steps') return reader.steps(written, where);
  const value = reader.plain(written, where);
  switch (type) {
    case 'string':
      if (typeof value === 'string') return value;
      break;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
    case 'integer':
      if (typeof value === 'number' && Number.isInteger(value)) return value;
      break;
    case 'enum':
      if (typeof value === 'string' && list(declaration.enum, `${where}.enum`).includes(value)) return value;
      break;
    case 'env_var_name':
      if (typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(value)) return value;
      break;
    case 'executor':
      if (typeof value === 'string' || isMapping(value)) return value;
      break;
    default:
      throw new ConfigError(where, `unknown parameter type ${type}`);
  }
  throw new ConfigError(where, `Type error: expected ${type}, actual value ${JSON.stringify(value)}`);
}
