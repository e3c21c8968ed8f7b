import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type {
  ByteRange,
  DownloadResponse,
  DownloadServer,
} from '../../../src/commands/install-tools/download-server.ts';
import { download } from '../../../src/commands/install-tools/download.ts';
import { MachineIdError } from '../../../src/errors.ts';
import { type FakeClock, fakeClock } from '../../effects/fake-clock.ts';
import { testRetries } from '../../effects/retries.ts';
import { text } from './chunks.ts';

const FILE = '0123456789';
const URL_OF_FILE = new URL('https://user:secret@cdn.example.com/teleport.tar.gz?signed');

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection is cut behind it, unless it is the whole rest. */
  readonly body?: string;
  readonly cut?: boolean;
  readonly takesMs?: number;
}

function unreachable(): MachineIdError {
  return new MachineIdError('TOOLS_UNREACHABLE', 'the connection was cut', { hint: 'none', transient: {} });
}

/** Gives the replies in order; the range of each request is kept. */
function serverWith(replies: readonly (Reply | 'unreachable')[], clock: FakeClock) {
  const ranges: (ByteRange | undefined)[] = [];
  const server: DownloadServer = {
    get: (_url, { range }) => {
      const reply = replies[ranges.push(range) - 1];
      assert.ok(reply !== undefined, 'there was a request too many');
      return reply === 'unreachable' ? Promise.reject(unreachable()) : Promise.resolve(answer(reply, clock));
    },
    close: () => undefined,
  };
  return { server, ranges };
}

function answer(
  { status = 200, headers = {}, body = '', cut = false, takesMs = 0 }: Reply,
  clock: FakeClock,
): DownloadResponse {
  async function* parts() {
    for (const character of body) {
      clock.pass(takesMs);
      yield await Promise.resolve(Buffer.from(character));
    }
    if (cut) throw unreachable();
  }
  return { status, header: (name) => headers[name], body: parts() };
}

async function downloaded(replies: readonly (Reply | 'unreachable')[], { maxBytes = 1000 } = {}) {
  const clock = fakeClock();
  const { server, ranges } = serverWith(replies, clock);
  const retries = testRetries({ clock });
  const lines: string[] = [];
  const withNewDeadline = () => testRetries({ clock, log: { info: (line) => lines.push(line) } });
  const reported: (readonly [number, number | undefined])[] = [];
  const settings = { server, clock, retries: { ...retries, withNewDeadline }, maxBytes, missingHint: 'look elsewhere' };
  const onProgress = (...progress: readonly [number, number | undefined]) => reported.push(progress);
  const result = await text(download(URL_OF_FILE, { ...settings, onProgress })).then(
    (file) => ({ file, error: undefined }),
    (error: unknown) => ({ file: undefined, error }),
  );
  assert.equal(ranges.length, replies.length, 'not every reply was asked for');
  return { ...result, ranges, lines, reported, waitsMs: clock.waitsMs };
}

const WHOLE: Reply = { headers: { 'content-length': '10', etag: '"one"' }, body: FILE };

function whole(bytes: number): Reply {
  return { ...WHOLE, body: FILE.slice(0, bytes), cut: true };
}

function rest(from: number, to = 10, change: Reply = {}): Reply {
  const headers = { 'content-range': `bytes ${from}-9/10`, etag: '"one"', ...change.headers };
  return { status: 206, body: FILE.slice(from, to), cut: to < 10, ...change, headers };
}

test('a file is downloaded with one request if there are no errors', async () => {
  const { file, ranges, reported } = await downloaded([WHOLE]);
  assert.equal(file, FILE);
  assert.deepEqual(ranges, [undefined]);
  assert.deepEqual(reported.at(-1), [10, 10]);
});

for (let at = 0; at <= 10; at += 1) {
  test(`a download that is interrupted at byte ${at} of 10 resumes there`, async () => {
    const next = at === 0 ? WHOLE : rest(at);
    const { file, ranges } = await downloaded([whole(at), next]);
    assert.equal(file, FILE);
    assert.deepEqual(ranges[1], at === 0 ? undefined : { fromByte: at, ifTag: '"one"' });
  });
}

test('a connection that is closed too early counts as interrupted', async () => {
  const { file } = await downloaded([{ ...whole(4), cut: false }, rest(4)]);
  assert.equal(file, FILE);
});

test('a download can be interrupted many times as long as it makes progress', async () => {
  const { file, waitsMs, lines } = await downloaded([
    whole(1),
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((at) => rest(at, at + 1)),
    rest(9),
  ]);
  assert.equal(file, FILE);
  assert.deepEqual(
    waitsMs,
    Array.from({ length: 9 }, () => 500),
  );
  assert.equal(lines[0], 'the connection was cut; resuming at byte 1 in 0.5 s (60 s left)');
});

test('a server without ranges sends everything again, and the bytes received before are skipped', async () => {
  const { file, reported } = await downloaded([whole(4), WHOLE]);
  assert.equal(file, FILE);
  assert.deepEqual(reported.at(-1), [10, 10]);
});

test('a weak tag is not sent', async () => {
  const headers = { 'content-length': '10', etag: 'W/"one"' };
  const { file, ranges } = await downloaded([{ ...whole(4), headers }, rest(4, 10, { headers: { etag: 'W/"one"' } })]);
  assert.equal(file, FILE);
  assert.deepEqual(ranges[1], { fromByte: 4, ifTag: undefined });
});

test('the deadline starts at the last received byte, and its error has the number of attempts', async () => {
  const cut = Array.from({ length: 11 }, () => 'unreachable' as const);
  const { error, waitsMs } = await downloaded([{ ...whole(4), takesMs: 20_000 }, ...cut]);
  assert.ok(error instanceof MachineIdError);
  assert.equal(error.code, 'TOOLS_UNREACHABLE');
  assert.equal(error.message, 'the connection was cut; gave up after 12 tries in 59 s (--deadline 60)');
  assert.equal(
    waitsMs.reduce((sum, waitMs) => sum + waitMs, 0),
    59_000,
  );
});

describe('the download is tried again after the response', () => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    test(String(status), async () => {
      const { file, waitsMs } = await downloaded([{ status, headers: { 'retry-after': '7' } }, WHOLE]);
      assert.equal(file, FILE);
      assert.deepEqual(waitsMs, [7500]);
    });
  }
});

const FINAL: readonly (readonly [what: string, replies: readonly Reply[], code: string, maxBytes?: number])[] = [
  ['404', [{ status: 404 }], 'TOOLS_UNAVAILABLE'],
  ['403, the response of a store for a missing file', [{ status: 403 }], 'TOOLS_UNAVAILABLE'],
  ['401', [{ status: 401 }], 'TOOLS_UNAVAILABLE'],
  ['304', [{ status: 304 }], 'TOOLS_UNAVAILABLE'],
  ['425', [{ status: 425 }], 'TOOLS_UNAVAILABLE'],
  ['501', [{ status: 501 }], 'TOOLS_UNAVAILABLE'],
  ['a file that has become shorter', [whole(4), { status: 416 }], 'TOOLS_CORRUPT'],
  ['another file, detected by its tag', [whole(4), { ...WHOLE, headers: { etag: '"two"' } }], 'TOOLS_CORRUPT'],
  [
    'another file, detected by its length',
    [whole(4), rest(4, 10, { headers: { 'content-range': 'bytes 4-10/11' } })],
    'TOOLS_CORRUPT',
  ],
  [
    'a different range than requested',
    [whole(4), rest(4, 10, { headers: { 'content-range': 'bytes 2-9/10' } })],
    'TOOLS_CORRUPT',
  ],
  ['a part without its range', [whole(4), { status: 206, body: FILE.slice(4) }], 'TOOLS_CORRUPT'],
  ['a part that was not requested', [rest(4)], 'TOOLS_CORRUPT'],
  ['more bytes than allowed', [{ body: FILE }], 'TOOLS_CORRUPT', 9],
  ['bytes that trickle in for half an hour', [{ ...WHOLE, takesMs: 600_000 }], 'TIMEOUT'],
];

describe('the download is not tried again after', () => {
  for (const [what, replies, code, maxBytes] of FINAL) {
    test(what, async () => {
      const { error } = await downloaded(replies, { maxBytes: maxBytes ?? 1000 });
      assert.ok(error instanceof MachineIdError);
      assert.equal(error.code, code);
      assert.doesNotMatch(error.message, /secret|signed/);
      if (code === 'TOOLS_UNAVAILABLE') assert.equal(error.hint, 'look elsewhere');
    });
  }
});

test('a pause ends when the job is cancelled', async () => {
  const clock = fakeClock();
  const { server } = serverWith(['unreachable'], clock);
  const reason = new MachineIdError('INTERRUPTED', 'interrupted by SIGTERM', { hint: 'run it again' });
  const sleep = () => Promise.reject(new Error('The operation was aborted'));
  const retries = testRetries({ clock: { ...clock, sleep }, signal: AbortSignal.abort(reason) });
  const settings = { server, clock, retries, maxBytes: 10, missingHint: '' };
  await assert.rejects(text(download(URL_OF_FILE, settings)), reason);
});
