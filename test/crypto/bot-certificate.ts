/** A certificate as bots have them, made by ssh-keygen. */
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../temporary-folder.ts';
import { certify, makeSshKey, type SshKeyType } from './ssh-keygen.ts';

const BOT = [
  ...['-I', 'bot-robot', '-n', 'alice', '-V', '20260101000000Z:20270101000000Z'],
  ...['-O', 'force-command=/bin/true', '-O', 'extension:role=access'],
];

/** Its bytes. */
export async function botCertificate(
  context: TestContext,
  type: SshKeyType,
  args: readonly string[] = BOT,
): Promise<Buffer> {
  const folder = await temporaryFolder(context);
  const authority = await makeSshKey(folder, type, 'authority');
  const { line } = await certify(authority, await makeSshKey(folder, type, 'key'), ...args);
  return Buffer.from(line.split(' ')[1] ?? '', 'base64');
}
