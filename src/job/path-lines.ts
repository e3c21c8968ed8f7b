/** Puts a folder in front of `PATH` for later steps. */
import { posix } from 'node:path';

/**
 * Lines for the file that `$BASH_ENV` names. Every bash reads that file, also one that another has started: a folder that
 * is on `PATH` already is not put there twice.
 * @param directory absolute; on Windows it may begin with a drive letter
 */
export function pathLines(directory: string): string {
  const quoted = `'${shellPath(directory).replaceAll("'", "'\\''")}'`;
  return `\ncase ":\${PATH-}:" in *:${quoted}:*) ;; *) export PATH=${quoted}"\${PATH:+:}\${PATH-}" ;; esac\n`;
}

/** Git-bash writes `C:\Users` as `/c/Users`; a colon would part the folder in two. */
function shellPath(directory: string): string {
  const [, drive, rest] = /^([a-z]):[\\/](.*)$/i.exec(directory) ?? [];
  if (drive === undefined || rest === undefined) return directory;
  return posix.join('/', drive.toLowerCase(), rest.replaceAll('\\', '/'));
}
