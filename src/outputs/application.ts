/** The files of an `application` output. */
import { authorityFiles, type BaseFilesInput, identityAndKeyFiles, specificTlsFiles } from './base-files.ts';
import type { OutputFile } from './output-file.ts';

/** In the order in which tbot writes them. */
export function applicationFiles(
  input: BaseFilesInput,
  { specificTlsNaming }: { readonly specificTlsNaming: boolean },
): readonly OutputFile[] {
  return [
    ...identityAndKeyFiles(input),
    ...(specificTlsNaming ? specificTlsFiles(input) : []),
    ...authorityFiles(input.authorities),
  ];
}
