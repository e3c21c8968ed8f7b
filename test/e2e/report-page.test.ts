/** The page of `run --report` in a real browser: what it shows, and what it must not contain. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { z } from 'zod';
import { directory } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { missing, program } from '../programs.ts';

const cluster = await clusterForFile();
const skip = missing('chromium') ?? false;
let started: Promise<Browser> | undefined;
after(async () => {
  await (await started)?.close();
});

/** Shared, because it takes a second to start. */
function browser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
  return (started ??= chromium.launch({ executablePath: program('chromium'), args }));
}

const Result = z.object({
  spans: z.array(z.object({ kind: z.string(), name: z.string(), startMs: z.number(), endMs: z.number() })).optional(),
});

interface Reported {
  readonly path: string;
  readonly html: string;
}

async function reportOf(job: Job, args: readonly string[], exitCode: number): Promise<Reported> {
  const path = join(job.folder, 'artifacts', 'run.html');
  const run = await job.run([...args, '--report', path]);
  assert.equal(run.exitCode, exitCode, run.stderr);
  return { path, html: await readFile(path, 'utf8') };
}

/** Several outputs, one of which fails: everything that a page can show. */
async function fullReport(job: Job): Promise<Reported> {
  const file = await job.addFile(
    'tbot.yaml',
    `version: v2
proxy_server: ${cluster.info.proxy}
onboarding: { join_method: circleci, token: ${cluster.info.joinToken} }
outputs:
  - { type: identity, ${directory(join(job.folder, 'out', 'identity-with-a-rather-long-name-of-its-folder'))} }
  - { type: kubernetes, kubernetes_cluster: dev, ${directory(join(job.folder, 'out', 'kube'))} }
  - { type: database, service: orders, username: ci, database: orders, ${directory(join(job.folder, 'out', 'db'))} }
  - { type: application, app_name: nowhere, ${directory(join(job.folder, 'out', 'app'))} }
`,
  );
  return reportOf(job, ['run', '--config', file], 1);
}

const LOOKS = [375, 1280].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
);

for (const { colorScheme, width } of LOOKS) {
  for (const kind of ['of several outputs', 'of a join that was refused'] as const) {
    test(`the page ${kind} renders correctly at ${String(width)} px, ${colorScheme}`, { skip }, async (t) => {
      const job = await beginJob(t, cluster);
      const refused = [...job.flags.slice(0, 3), '--token', 'nobody', '--destination', job.destination];
      const { path } = kind === 'of several outputs' ? await fullReport(job) : await reportOf(job, refused, 1);
      const context = await (
        await browser()
      ).newContext({
        viewport: { width, height: 900 },
        colorScheme,
        javaScriptEnabled: true,
      });
      t.after(() => context.close());
      const page = await context.newPage();
      const requests: string[] = [];
      const complaints: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      const url = pathToFileURL(path).href;
      await page.goto(url);
      assert.deepEqual(requests, [url]);
      assert.deepEqual(complaints, []);
      await assertSound(page);
    });
  }
}

const Box = z.object({ text: z.string(), left: z.number(), right: z.number(), top: z.number(), bottom: z.number() });
type Box = z.infer<typeof Box>;
const Look = z.object({
  overflow: z.number(),
  width: z.number(),
  boxes: z.array(Box),
  texts: z.array(z.object({ text: z.string(), contrast: z.number() })),
});

const PROBE = await readFile('test/e2e/page-probe.js', 'utf8');
const LEAST_CONTRAST = 4.5;

async function assertSound(page: Page): Promise<void> {
  const { boxes, overflow, texts, width } = Look.parse(await page.evaluate(PROBE));
  assert.ok(overflow <= 0, `the page is ${String(overflow)} px too wide`);
  assert.ok(boxes.length > 0, 'there is no picture');
  for (const box of boxes) {
    assert.ok(box.left >= 0 && box.right <= width, `"${box.text}" leaves the page: ${JSON.stringify(box)}`);
    for (const other of boxes) if (box !== other) assert.ok(!overlap(box, other), `"${box.text}" over "${other.text}"`);
  }
  assert.ok(texts.length > 20);
  assert.deepEqual(
    texts.filter(({ contrast }) => contrast < LEAST_CONTRAST),
    [],
  );
}

function overlap(one: Box, other: Box): boolean {
  const apart =
    one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
  return !apart;
}

test('the page needs no script, and its bars match the run', { skip }, async (t) => {
  const job = await beginJob(t, cluster);
  const path = join(job.folder, 'run.html');
  const run = await job.run([...job.flags, '--json', '--report', path]);
  const { spans = [] } = Result.parse(JSON.parse(run.stdout));
  const context = await (
    await browser()
  ).newContext({ viewport: { width: 1280, height: 900 }, javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(pathToFileURL(path).href);
  const bars = await page.locator('svg rect.bar').all();
  const places = await Promise.all(bars.map((bar) => bar.boundingBox()));
  const titles = await page.locator('svg g title').allTextContents();
  assert.equal(bars.length, titles.length);
  const picture = await page.locator('svg').boundingBox();
  assert.ok(picture !== null && bars.length >= 5);
  const times = titles.map((title) => / (\d+) to (\d+) ms$/.exec(title)?.slice(1).map(Number) ?? []);
  const last = Math.max(...times.map(([, end = 0]) => end));
  for (const [at, [start = NaN, end = NaN]] of times.entries()) {
    const box = places[at];
    assert.ok(box !== null && box !== undefined);
    // Everything is drawn to one scale, except bars that would be too short to see.
    const share = (box.x - picture.x) / picture.width;
    assert.ok(Math.abs(share - start / last) < 0.1, `${titles[at] ?? ''} begins at ${String(share)}`);
    if (end - start > last / 10) assert.ok(Math.abs(box.width / picture.width - (end - start) / last) < 0.1);
  }
  if (spans.length > 0) {
    assert.deepEqual(
      spans.map(({ endMs, name, startMs }) => `${name}: ${String(startMs)} to ${String(endMs)} ms`),
      titles,
    );
  }
});

test('the page contains no secrets', { skip }, async (t) => {
  const job = await beginJob(t, cluster);
  const { html } = await fullReport(job);
  const files = await readdir(join(job.folder, 'out'), { recursive: true, withFileTypes: true });
  const names = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  assert.ok(names.some((name) => name.endsWith('/key')));
  for (const name of names) {
    const lines = (await readFile(name, 'utf8'))
      .split('\n')
      .filter((line) => /^[A-Za-z0-9+/=_-]{32,}$/.test(line.trim()));
    for (const line of lines) assert.ok(!html.includes(line.trim()), `a line of ${name} stands on the page`);
  }
  assert.doesNotMatch(html, /BEGIN [A-Z ]*(PRIVATE KEY|CERTIFICATE)|-cert-v01@openssh|eyJ[\w-]{10}/);
});
