/** Records everything that is written, so that it can be removed at the end of the job. */

export interface PlannedFile {
  /** Where the file will be, links resolved. */
  readonly path: string;
  readonly contents: string | Uint8Array;
  /** Names that the bytes, or those of the file before, have meanwhile. */
  readonly temporaries: readonly string[];
  /** As in `OutputFile`. */
  readonly awsProfile?: string | undefined;
}

export interface WriteRecord {
  /** A directory that was made. */
  directory(path: string): Promise<void>;
  /**
   * Files that are about to be written: what a run leaves when it is killed is known too.
   * @param destination the directory that they go into
   */
  files(files: readonly PlannedFile[], destination?: string): Promise<void>;
}

/** For those who keep no record. */
export const NO_RECORD: WriteRecord = {
  directory: () => Promise.resolve(),
  files: () => Promise.resolve(),
};
