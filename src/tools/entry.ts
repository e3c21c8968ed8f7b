/** What the readers of archives hand out. */

export interface ArchiveEntry {
  /** As it stands in the archive: nothing about it is checked yet. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Of a file; to be read to its end before the next entry is asked for, or not at all. */
  readonly contents: AsyncIterable<Uint8Array>;
}
