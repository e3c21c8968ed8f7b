/** Measures the memory of the proxy command that OpenSSH has started. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Job } from './job.ts';

/** Watches the job's proxy command until it ends; resolves with its peak memory in KiB. */
export function watchProxyMemory({ destination }: Job): () => Promise<number> {
  const most = (async () => {
    const path = await statusPath(destination);
    let peakKib = 0;
    for (;;) {
      const text = await readFile(path, 'utf8').catch(() => '');
      const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(text) ?? [];
      if (peak === undefined) return peakKib;
      peakKib = Number(peak);
      await pause(100);
    }
  })();
  return () => most;
}

async function statusPath(destination: string): Promise<string> {
  for (;;) {
    for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${id}/cmdline`, 'latin1').catch(() => '');
      const isNode = command.includes('\0ssh-proxy-command\0') && command.includes(destination);
      if (isNode) return `/proc/${id}/status`;
    }
    await pause(20);
  }
}
