/** Checks what every resource begins with: its version and its labels. */
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

/** @param version of the custom resource in the group of Teleport's operator */
export function checkApiVersion(file: SourceFile, given: string | undefined, version: 'v1' | 'v2'): void {
  const expected = `resources.teleport.dev/${version}`;
  if (given === expected) return;
  const said = given === undefined ? 'is missing' : `is "${given}"`;
  file.findings.refuse(file.origin('apiVersion'), `${said}; write "apiVersion: ${expected}"`);
}
