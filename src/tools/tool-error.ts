/** Why Teleport's programs could not be installed. */
import { MachineIdError } from '../errors.ts';

/** What came is not what was published, or is nothing that may be unpacked. */
export function corrupt(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('TOOLS_CORRUPT', `the archive of Teleport's programs is refused: ${detail}`, {
    hint: 'Nothing was installed. Run the job again; when it stays, look at the mirror or the proxy that the archive came through.',
    cause,
  });
}

export function notInArchive(tools: readonly string[], archive: string): MachineIdError {
  return new MachineIdError('TOOLS_UNAVAILABLE', `${archive} holds no ${tools.join(' and no ')}`, {
    hint: 'Releases differ: teleport-update came with Teleport 17, tctl.exe with 16, tbot.exe with 17.4. Choose another version, or leave the program out.',
  });
}
