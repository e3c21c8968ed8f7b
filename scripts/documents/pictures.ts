/** The pictures of docs/images, drawn from the text files beside them from the imports in src, and from conformance results. */
import { readFile } from 'node:fs/promises';
import { conformancePictures } from './conformance-page.ts';
import { flowPicture } from './flow-picture.ts';
import { roomsPicture } from './rooms-picture.ts';
import { sourceRooms } from './source-rooms.ts';
import { terminalPicture } from './terminal-picture.ts';

const DEMO =
  'The log of a job that joins a Teleport cluster, from "npm run demo": install, join, and what later steps have.';

/** The expected SVG by path. */
export async function pictures(): Promise<ReadonlyMap<string, string>> {
  const source = (name: string) => readFile(`docs/images/${name}`, 'utf8');
  return new Map([
    ['docs/images/flow.svg', flowPicture(await source('flow.yml'))],
    ['docs/images/rooms.svg', roomsPicture(sourceRooms())],
    ['docs/images/demo.svg', terminalPicture('A job on CircleCI', DEMO, await source('demo.txt'))],
    ...(await conformancePictures()),
  ]);
}
