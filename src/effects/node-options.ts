/**
 * Filters the job's NODE_OPTIONS for Node processes that this program's files start. Keeps options for certificates, TLS, DNS
 * and memory. The rest (preloads, inspectors, dumps, key logs) could break a process that holds credentials, or leak them.
 * `orb/scripts` has the same lists.
 */
import { hasControlCharacters } from '../errors.ts';

/**
 * Node parses its 150 public authorities, which takes 20 ms, as soon as a connection trusts any other. With this option, it
 * takes OpenSSL's files in their place, which it reads only when they are needed.
 */
export const WITHOUT_PUBLIC_AUTHORITIES = '--use-openssl-ca';

/** Options without a value. */
export const KEPT_SWITCHES: readonly string[] = [
  WITHOUT_PUBLIC_AUTHORITIES,
  '--use-bundled-ca',
  '--use-system-ca',
  '--tls-min-v1.0',
  '--tls-min-v1.1',
  '--tls-min-v1.2',
  '--tls-min-v1.3',
  '--tls-max-v1.2',
  '--tls-max-v1.3',
  '--openssl-legacy-provider',
  '--openssl-shared-config',
  '--enable-fips',
  '--force-fips',
  '--network-family-autoselection',
  '--no-network-family-autoselection',
];

/** Options with a value: `--name=value` or `--name value`. */
export const KEPT_WITH_VALUE: readonly string[] = [
  '--tls-cipher-list',
  '--openssl-config',
  '--max-old-space-size',
  '--max-old-space-size-percentage',
  '--max-semi-space-size',
  '--max-http-header-size',
  '--secure-heap',
  '--secure-heap-min',
  '--dns-result-order',
  '--network-family-autoselection-attempt-timeout',
];

/** @returns a value for NODE_OPTIONS on one line; empty if nothing is kept */
export function keptNodeOptions(text = ''): string {
  const words = wordsOf(text);
  const kept: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const [name = ''] = word.split('=', 1);
    const option = name.replaceAll('_', '-');
    if (KEPT_SWITCHES.includes(option) && name === word) kept.push(word);
    if (!KEPT_WITH_VALUE.includes(option)) continue;
    if (name !== word) kept.push(word);
    else if (isValue(words[at + 1])) kept.push(`${name}=${words[(at += 1)] ?? ''}`);
  }
  return kept
    .filter((word) => !hasControlCharacters(word))
    .map(quoted)
    .join(' ');
}

function isValue(word: string | undefined): boolean {
  return word !== undefined && word !== '' && !word.startsWith('-');
}

/** Splits like Node: at spaces outside double quotes; inside quotes, a backslash escapes the next character. */
function wordsOf(text: string): readonly string[] {
  const words = text.match(/(?:[^ "]|"(?:[^"\\]|\\[^])*"?)+/g) ?? [];
  return words.map((word) =>
    word.replace(/"((?:[^"\\]|\\[^])*)"?/g, (_, inside: string) => inside.replace(/\\([^])/g, '$1')),
  );
}

function quoted(word: string): string {
  return /[ "\\]/.test(word) ? `"${word.replace(/["\\]/g, '\\$&')}"` : word;
}
