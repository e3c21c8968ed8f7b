/** The secrets in the files of outputs, in the forms in which a program may print them. */
import { join } from 'node:path';
import type { Files } from '../../effects/files.ts';
import type { WrittenOutput } from '../../outputs/result.ts';

const MAX_FILE_BYTES = 1024 * 1024;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)-----END [A-Z ]*PRIVATE KEY-----/g;
const JWT = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g;
const AWS_SECRET = /^aws_(?:secret_access_key|session_token)\s*=\s*(\S+)/gm;
/** As the program base64 breaks lines. */
const BASE64_LINE = /.{1,76}/g;

/** A file that cannot be read contains nothing that the command could print. */
export async function secretsOf(
  outputs: readonly WrittenOutput[],
  files: Pick<Files, 'readText'>,
): Promise<readonly string[]> {
  const paths = outputs.flatMap(({ destination, files: names }) => names.map((name) => join(destination, name)));
  const texts = await Promise.all(
    paths.map((path) => files.readText(path, { maxBytes: MAX_FILE_BYTES }).catch(() => '')),
  );
  return texts.flatMap(secretsIn);
}

/** Keys line by line, since they may be printed with or without line breaks; files with secrets also in base64. */
export function secretsIn(text: string): readonly string[] {
  const keys = [...text.matchAll(PRIVATE_KEY)].flatMap(([, body = '']) => body.trim().split(/\s+/));
  const tokens = [...text.matchAll(JWT)].flatMap(([token]) => partsOf(token));
  const aws = [...text.matchAll(AWS_SECRET)].flatMap(([, value = '']) => [value]);
  const found = [...keys, ...tokens, ...aws];
  return found.length === 0 ? [] : [...found, ...linesInBase64(text)];
}

/** The claims and the signature of a token are as secret as the whole. */
function partsOf(token: string): readonly string[] {
  const [, ...parts] = token.split('.');
  return [token, ...parts];
}

function linesInBase64(text: string): readonly string[] {
  return Buffer.from(text).toString('base64').match(BASE64_LINE) ?? [];
}
