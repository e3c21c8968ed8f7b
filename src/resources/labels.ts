/** Checks the labels in the metadata of a resource. */
import type { SourceFile } from '../config/source-file.ts';

/** Newer releases take a colon too. */
const LABEL_KEY = /^[a-zA-Z/.0-9_:*-]+$/;

/** A label of a wrong name goes into the file's findings. */
export function checkLabels(file: SourceFile, labels: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(labels)) {
    if (LABEL_KEY.test(key)) continue;
    file.findings.refuse(file.origin('metadata', 'labels', key), `invalid label key: ${JSON.stringify(key)}`);
  }
}
