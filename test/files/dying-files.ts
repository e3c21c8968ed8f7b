/** The real file system, for a process that is killed after a number of steps. */
import { type Files, systemFiles } from '../../src/effects/files.ts';
import { outputOf } from '../programs.ts';

export interface DyingFiles extends Files {
  /** Whether the process was killed. */
  isDead(): boolean;
}

const ENDED = Number(outputOf('sh', ['-c', 'echo $$']));
const [SCOPE = ''] = systemFiles.processMark.split(/-[0-9a-z]+$/);

/** The mark of a process with that id on this machine. */
export function markOf(processId: number): string {
  return `${SCOPE}-${processId.toString(36)}`;
}

export const DEAD_MARK = markOf(ENDED);

/** Whatever changes the disk is a step; the last one is not done, or only half of it. Nothing works after that. */
export function dyingAfter(steps: number): DyingFiles {
  let left = steps;
  let dead = false;
  const check = () => {
    if (dead) throw new Error('the process is dead');
  };
  const step = async (work: () => Promise<void>, half = () => Promise.resolve()) => {
    check();
    if (left > 0) {
      left -= 1;
      return work();
    }
    dead = true;
    await half();
    throw new Error('the process was killed');
  };
  const files: DyingFiles = {
    ...systemFiles,
    processMark: DEAD_MARK,
    isDead: () => dead,
    entry: async (path) => {
      check();
      return systemFiles.entry(path);
    },
    names: async (directory) => {
      check();
      return systemFiles.names(directory);
    },
    list: async (directory) => {
      check();
      return systemFiles.list(directory);
    },
    readText: async (path, limits) => {
      check();
      return systemFiles.readText(path, limits);
    },
    makeDirectory: (path) => step(() => systemFiles.makeDirectory(path)),
    createFile: (path, contents) =>
      step(
        () => systemFiles.createFile(path, contents),
        () => systemFiles.createFile(path, contents.slice(0, contents.length / 2)),
      ),
    link: (existing, path) => step(() => systemFiles.link(existing, path)),
    rename: (from, to) => step(() => systemFiles.rename(from, to)),
    renameAll: async (renames) => {
      for (const { from, to } of renames) await files.rename(from, to);
    },
    remove: (path) => step(() => systemFiles.remove(path)),
  };
  return files;
}
