import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, test } from 'node:test';
import { createGzip } from 'node:zlib';
import { tarHeader } from '../commands/install-tools/tar-archive.ts';
import { startReleaseServer } from './release-server.ts';
import { ARCHIVE, beginToolsJob, VERSION } from './tools-job.ts';

const MEGABYTE = 1024 * 1024;
const PROGRAM_BYTES = 200 * MEGABYTE;
/** In addition to what Node and the script use, 40 to 70 MB depending on the version. */
const MOST_MEMORY_KILOBYTES = 50 * 1024;

const TSH = ['--tools', 'tsh', '--version', VERSION];
const folder = await mkdtemp(join(tmpdir(), 'large-archive-'));
after(() => rm(folder, { recursive: true, force: true }));

/** Random, like packed data, which can hardly be compressed further. */
function* parts(): Generator<Buffer> {
  yield tarHeader({ path: 'teleport/tsh' }, PROGRAM_BYTES);
  const part = randomBytes(MEGABYTE);
  for (let bytes = 0; bytes < PROGRAM_BYTES; bytes += part.length) yield part;
  yield Buffer.alloc(1024);
}

async function largeArchive(): Promise<{ readonly path: string; readonly digest: string; readonly bytes: number }> {
  const path = join(folder, ARCHIVE);
  await pipeline(Readable.from(parts()), createGzip({ level: 0 }), createWriteStream(path));
  const hash = createHash('sha256');
  const file: AsyncIterable<Buffer> = createReadStream(path);
  for await (const part of file) hash.update(part);
  return { path, digest: hash.digest('hex'), bytes: (await stat(path)).size };
}

/** The peak memory of the process, which it reports when it ends. */
const TELLS_ITS_MEMORY = `process.on('exit', () => {
  require('node:fs').writeFileSync(process.env.HOME + '/memory', String(process.resourceUsage().maxRSS));
});`;

test('an archive of 200 MB needs less than 50 MB of memory, and is downloaded only once', async (t) => {
  const server = await startReleaseServer();
  const archive = await largeArchive();
  let requests = 0;
  server.answer = (request, response) => {
    requests += 1;
    if (request.url?.endsWith('.sha256') === true) {
      response.end(`${archive.digest}  ${ARCHIVE}\n`);
      return;
    }
    response.writeHead(200, { 'content-length': archive.bytes });
    createReadStream(archive.path).pipe(response);
  };
  const job = await beginToolsJob(t, server);
  const tells = join(job.home, 'tells.cjs');
  await writeFile(tells, TELLS_ITS_MEMORY);
  const memoryOf = async (flags: readonly string[]): Promise<number> => {
    const { exitCode, stderr } = await job.install(flags, { NODE_OPTIONS: `--require=${tells}` });
    assert.equal(exitCode, 0, stderr);
    return Number(await readFile(join(job.home, 'memory'), 'utf8'));
  };
  const ownKilobytes = await memoryOf(['--help']);
  const kilobytes = await memoryOf(TSH);
  assert.equal((await stat(join(job.bin, 'tsh'))).size, PROGRAM_BYTES);
  t.diagnostic(`at most ${kilobytes} kB of memory, of which Node and the script take ${ownKilobytes}`);
  assert.ok(kilobytes - ownKilobytes < MOST_MEMORY_KILOBYTES, `${kilobytes} kB`);

  requests = 0;
  const second = await job.install(TSH);
  assert.match(second.stderr, /Already installed/);
  assert.equal(requests, 0);
});
