/** Unpacks gzip (RFC 1952) as it comes. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MachineIdError } from '../errors.ts';
import { corrupt } from './tool-error.ts';

const CHUNK_BYTES = 64 * 1024;

/** @throws MachineIdError TOOLS_CORRUPT, and what `portions` throws */
export async function* gunzip(portions: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(portions);
  const unpacked: AsyncIterable<Uint8Array> = pipeline(source, createGunzip({ chunkSize: CHUNK_BYTES }), () => {
    // The iteration below throws the same error.
  });
  try {
    yield* unpacked;
  } catch (error) {
    throw error instanceof MachineIdError ? error : corrupt('its gzip is broken', error);
  }
  // The end of gzip is not yet the end of what came, which the digest is taken of.
  if (!source.readableEnded) throw corrupt('something follows the end of its gzip');
}
