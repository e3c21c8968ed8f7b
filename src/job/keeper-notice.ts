/** What later steps of a job see if its credentials are no longer renewed: lines in `$BASH_ENV` print it to their stderr. */
import type { Files } from '../effects/files.ts';
import { noticePath, processIdPath } from './background-files.ts';
import { shellQuoted } from './bash-env.ts';

/** Replaces the notice of the process with that status file. */
export async function writeNotice(
  files: Pick<Files, 'createFile' | 'remove' | 'rename'>,
  status: string,
  text: string,
): Promise<void> {
  const path = noticePath(status);
  const temporary = `${path}.new`;
  await files.remove(temporary);
  await files.createFile(temporary, `machine-id: warning: ${text}\n`);
  await files.rename(temporary, path);
}

export function clearNotice(files: Pick<Files, 'remove'>, status: string): Promise<void> {
  return files.remove(noticePath(status));
}

/**
 * Lines for `$BASH_ENV` that print the notice, or that the process has ended without one. Once in each step, although nested
 * shells read the file too. They use nothing but the shell, and leave its state alone otherwise.
 */
export function noticeLines(status: string): string {
  const [notice, processId] = [noticePath(status), processIdPath(status)].map(shellQuoted);
  const dead =
    'machine-id: warning: the process that renews the credentials of this job ended unexpectedly, so that they are no longer renewed';
  // A dead process may stay in the table forever, if the first process of a container does not wait for others.
  return `
if [ -z "\${MACHINE_ID_NOTICE-}" ]; then
  if [ -s ${notice} ]; then
    export MACHINE_ID_NOTICE=shown
    while IFS= read -r MACHINE_ID_LINE; do printf '%s\\n' "$MACHINE_ID_LINE" >&2; done < ${notice}
  elif [ -s ${processId} ] && read -r MACHINE_ID_LINE < ${processId}; then
    if kill -0 "$MACHINE_ID_LINE" 2>/dev/null || [ -d "/proc/$MACHINE_ID_LINE" ]; then
      read -r MACHINE_ID_LINE 2>/dev/null < "/proc/$MACHINE_ID_LINE/stat" || MACHINE_ID_LINE=running
    else MACHINE_ID_LINE=; fi
    case "$MACHINE_ID_LINE" in ''|*') Z '*) export MACHINE_ID_NOTICE=shown; printf '%s\\n' '${dead}' >&2 ;; esac
  fi
  unset MACHINE_ID_LINE
fi
`;
}
