import assert from 'node:assert/strict';
import test from 'node:test';
import { telemetryIsOn, telemetryUrl } from '../../src/commands/telemetry.ts';

const CALL = 'prehog.v1alpha.TbotReportingService/SubmitTbotEvent';

for (const value of ['1', 't', 'T', 'true', 'TRUE', 'True']) {
  test(`${value} turns telemetry on`, () => {
    assert.ok(telemetryIsOn({ TELEPORT_ANONYMOUS_TELEMETRY: value }));
  });
}

for (const value of [undefined, '', '0', 'false', 'yes', 'on', 'tRUE', ' 1']) {
  test(`${value === undefined ? 'no value' : JSON.stringify(value)} leaves it off`, () => {
    assert.ok(!telemetryIsOn({ TELEPORT_ANONYMOUS_TELEMETRY: value }));
  });
}

for (const [address, expected] of [
  [undefined, `https://reporting-tbot.teleportinfra.sh/${CALL}`],
  ['', `https://reporting-tbot.teleportinfra.sh/${CALL}`],
  ['http://localhost:8080', `http://localhost:8080/${CALL}`],
  ['https://collector.example.com/teleport/', `https://collector.example.com/teleport/${CALL}`],
  ['collector.example.com', undefined],
  ['file:///tmp', undefined],
] as const) {
  test(`the address ${address ?? '(unset)'} gives ${expected ?? 'no event'}`, () => {
    assert.equal(telemetryUrl({ TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS: address })?.href, expected);
  });
}
