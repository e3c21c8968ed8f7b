/** A file system of a few kibibytes for one test, to fill up or to make read-only. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { outputOf, program, runProgramSync } from './programs.ts';

export interface SmallDisk {
  readonly path: string;
  /** Leaves no page of memory to new files; what is in use may still hold a few bytes more. */
  fill(): Promise<void>;
  makeReadOnly(): void;
  forbidPrograms(): void;
}

/** The reason to skip a test; undefined in CI, where a mount that is refused is a failure, unless another job has these tests. */
export const cannotMount: string | undefined = reasonToSkip();

function reasonToSkip(): string | undefined {
  if (process.env.TESTS_THAT_MOUNT === 'elsewhere') return 'another job runs the tests that mount';
  return isRoot() || process.env.CI === 'true' ? undefined : 'needs root or sudo';
}

/** Goes away with the test. */
export async function smallDisk(
  context: TestContext,
  { kibibytes }: { readonly kibibytes: number },
): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'machine-id-disk-'));
  context.after(async () => {
    asRoot('umount', ['--lazy', path]);
    await rm(path, { recursive: true });
  });
  asRoot('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k,mode=0700,uid=${process.getuid?.() ?? 0}`, 'none', path]);
  return {
    path,
    fill: () => fill(join(path, 'filler')),
    makeReadOnly: () => {
      asRoot('mount', ['-o', 'remount,ro', path]);
    },
    forbidPrograms: () => {
      asRoot('mount', ['-o', 'remount,noexec,nosuid,nodev', path]);
    },
  };
}

async function fill(path: string): Promise<void> {
  await writeFile(path, '');
  try {
    for (;;) await appendFile(path, Buffer.alloc(4096));
  } catch {
    // The disk is full now.
  }
}

function isRoot(): boolean {
  return (
    process.getuid?.() === 0 || (program('sudo') !== 'sudo' && runProgramSync('sudo', ['-n', 'true']).exitCode === 0)
  );
}

function asRoot(name: string, args: readonly string[]): void {
  const [file, all] = process.getuid?.() === 0 ? [name, args] : ['sudo', ['-n', name, ...args]];
  outputOf(file, all);
}
