/** The patterns of `regexp.match`. Go's regular expressions never take long; JavaScript's may, so some are not evaluated. */

interface NoPattern {
  readonly problem: string;
  readonly kind: 'value' | 'unsupported';
}

/** `*` stands for any text within a line, the empty one included. Takes time in proportion to both texts. */
export function globMatches(glob: string, input: string): boolean {
  const [head = '', ...rest] = glob.split('*');
  const tail = rest.pop();
  if (tail === undefined) return input === head;
  if (input.length < head.length + tail.length || !input.startsWith(head) || !input.endsWith(tail)) return false;
  const end = input.length - tail.length;
  let at = head.length;
  let isOneLine = true;
  for (const part of rest) {
    const found = input.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    isOneLine &&= !input.slice(at, found).includes('\n');
    at = found + part.length;
  }
  return isOneLine && !input.slice(at, end).includes('\n');
}

/** Forms that only Go has, in a text without escaped backslashes. */
const ONLY_IN_GO = /\(\?(?![=!:<])|\(\?P?<[^=!]|\\[AzpPQEC]|\[\[:/;
/** Forms that Go rejects: lookaround, back references and unknown escapes. */
const NOT_IN_GO = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\(?![dDsSwWbBtnrfvxa])[A-Za-z]/;
/** A repeated group with a choice or a repetition in it. */
const MAY_TAKE_LONG = /\([^()]*[*+{|][^()]*\)[*+{]|\)\)+[*+{]/;
const MAX_CHARS = 1000;

export function regularExpression(text: string): { readonly regExp: RegExp } | NoPattern {
  const bare = text.replaceAll('\\\\', '');
  const unsupported = ONLY_IN_GO.test(bare) || MAY_TAKE_LONG.test(bare) || text.length > MAX_CHARS;
  if (unsupported) {
    return { problem: `the regular expression ${JSON.stringify(text)} is not evaluated here`, kind: 'unsupported' };
  }
  const invalid: NoPattern = { problem: `${JSON.stringify(text)} is not a regular expression of Go`, kind: 'value' };
  if (NOT_IN_GO.test(bare)) return invalid;
  try {
    return { regExp: new RegExp(text) };
  } catch {
    return invalid;
  }
}
