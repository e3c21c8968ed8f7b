/** Evaluates the condition of a `when` or `unless` step, after its expressions were replaced. */
import { ConfigError } from './config-error.ts';
import { isMapping, list, mapping, text } from './mapping.ts';

export function holds(condition: unknown, where: string): boolean {
  if (Array.isArray(condition)) return condition.length > 0;
  if (!isMapping(condition)) return isTruthy(condition);
  const [operator, ...more] = Object.keys(condition);
  if (operator === undefined || more.length > 0) {
    throw new ConfigError(where, 'a logic statement has exactly one of and, or, not, equal, matches');
  }
  return decide(operator, condition[operator], `${where}.${operator}`);
}

function decide(operator: string, operand: unknown, where: string): boolean {
  switch (operator) {
    case 'and':
      return list(operand, where).every((item) => holds(item, where));
    case 'or':
      return list(operand, where).some((item) => holds(item, where));
    case 'not':
      return !holds(operand, where);
    case 'equal': {
      const [first, ...rest] = list(operand, where);
      return rest.every((item) => item === first);
    }
    case 'matches': {
      const { pattern, value } = mapping(operand, where);
      return new RegExp(text(pattern, `${where}.pattern`)).test(text(value, `${where}.value`));
    }
    default:
      throw new ConfigError(where, 'unknown operator');
  }
}

/** CircleCI's falsy values: false, null, 0, NaN and the empty string. */
function isTruthy(value: unknown): boolean {
  return (
    value !== undefined && value !== false && value !== null && value !== 0 && value !== '' && !Number.isNaN(value)
  );
}
