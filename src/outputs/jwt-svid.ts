/** The file of a JWT SVID. */
import type { CheckedJwtSvid } from '../certs/jwt-svid.ts';
import type { OutputFile } from './output-file.ts';

/** The token alone, without a line break. */
export function jwtSvidFile(name: string, { jwt }: CheckedJwtSvid): OutputFile {
  return { name, contents: jwt.reveal() };
}
