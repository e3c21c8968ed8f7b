/** A file that an output consists of, rendered but not yet written. */

export interface OutputFile {
  /** In the destination itself, or in one folder of it: `cockroach/ca.crt`. */
  readonly name: string;
  readonly contents: string | Uint8Array;
  /** The one profile of ours in a credentials file of AWS, which holds those of others too. */
  readonly awsProfile?: string;
}
