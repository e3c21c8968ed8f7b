/** A file that an output consists of, rendered but not yet written. */

export interface OutputFile {
  /** In the destination itself; no folders. */
  readonly name: string;
  readonly contents: string | Uint8Array;
}
