/** Turns the log of the demo into a recording: selects the interesting steps and replaces names of this machine. */

const STEPS = [
  'Install Teleport machine-id',
  'Join the Teleport cluster',
  'Show what later steps have',
  'Reach the Auth Service through the Proxy with the identity',
];

/** Applied in this order. */
const REPLACED: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/localhost:\d+/g, 'example.teleport.sh:443'],
  [/example\.teleport\.test/g, 'example.teleport.sh'],
  [/\/tmp\/machine-id-demo-\w+\/home/g, '/home/circleci'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '2026-01-31T12:00:00Z'],
  [/SHA-256 ([0-9a-f]{8})[0-9a-f]{56}/g, 'SHA-256 …'],
  // The list of files, which is long and has owners, sizes and times.
  [/^(?:total \d|-rw).*\n?/gm, ''],
  // Versions of OpenSSL print it differently.
  [/^subject=.*\n/gm, ''],
];

export function recorded(log: string): string {
  const parts = log.split(/^— Step: (.+)\n/m).slice(1);
  const steps = STEPS.map((name) => {
    const at = parts.indexOf(name);
    if (at === -1) throw new Error(`the demo has no step "${name}"`);
    const [output = ''] = (parts[at + 1] ?? '').split(/^— /m);
    return `▸ ${name}\n${output.trim()}\n`;
  });
  return REPLACED.reduce((text, [pattern, replacement]) => text.replaceAll(pattern, replacement), steps.join('\n'));
}

export function withoutTimes(recording: string): string {
  return recording.replaceAll(/ *\d+ ms/g, ' … ms').replaceAll(/ {2,}/g, '  ');
}
