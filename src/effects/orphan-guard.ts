/**
 * A small shell that outlives this process by a moment if it is killed: it then ends the process group that this one has started,
 * and removes a directory. POSIX only.
 */
import { spawn } from 'node:child_process';

export interface OrphanGuard {
  /** The group to end. */
  watch(group: number): void;
  /** This process cleans up itself. */
  release(): void;
}

/** @param variable in the environment of everything that this process starts, as `NAME=value` */
export type StartOrphanGuard = (directory: string, variable: string) => Promise<OrphanGuard>;

/**
 * Its stdin ends with this process. The signals that end a step must not end it first. On Linux, it also finds processes by their
 * environment: this process may be killed before it can name their group.
 */
const SCRIPT = `trap '' HUP INT TERM
group=
while read -r word number; do
  case $word in
    watch) group=$number ;;
    release) exit 0 ;;
  esac
done
send() {
  [ -z "$group" ] || kill "-$1" "-$group"
  for process in /proc/[0-9]*; do
    if tr '\\0' '\\n' <"$process/environ" | grep -qxF "$variable"; then kill "-$1" "\${process#/proc/}"; fi
  done
}
exec 2>/dev/null
variable=$2
send TERM
sleep 1
send KILL
rm -rf -- "$1"
`;

const NO_GUARD: OrphanGuard = { watch: () => undefined, release: () => undefined };

/** Without a shell there is no guard: `cleanup` and the next run remove what is left. */
export function startOrphanGuard(directory: string, variable: string): OrphanGuard {
  if (process.platform === 'win32') return NO_GUARD;
  try {
    // In a separate session, so that what kills a whole process group spares it.
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'machine-id-guard', directory, variable], {
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      detached: true,
    });
    shell.on('error', () => undefined);
    shell.stdin.on('error', () => undefined);
    shell.unref();
    const write = (line: string) => {
      shell.stdin.write(`${line}\n`);
    };
    return {
      watch: (group) => {
        write(`watch ${group}`);
      },
      release: () => {
        shell.stdin.end('release\n');
      },
    };
  } catch {
    return NO_GUARD;
  }
}
