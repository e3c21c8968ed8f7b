/** A file that an output consists of, rendered but not yet written. */

export interface OutputFile {
  /** Relative to the destination, with `/` between folders. */
  readonly name: string;
  readonly contents: string | Uint8Array;
}
