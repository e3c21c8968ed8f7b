import assert from 'node:assert/strict';
import test from 'node:test';
import { startEvent, telemetryIsOn, telemetryUrl } from '../../src/commands/telemetry.ts';

const EVENT_ID = '8f8d2d7a-6d5d-4c0e-9a63-0d7f0c5b9a11';

test('the event has the time, the version and the number of outputs of each type', () => {
  const outputTypes = ['identity', 'database', 'kubernetes', 'database', 'kubernetes/v2', 'application', 'ssh_host'];
  const event = startEvent({
    joinMethod: 'circleci',
    outputTypes,
    version: '1.2.3',
    eventId: EVENT_ID,
    startedMs: 1_700_000_000_123,
  });
  assert.deepEqual(event, {
    distinctId: EVENT_ID,
    timestamp: '2023-11-14T22:13:20.123Z',
    start: {
      runMode: 1,
      version: '1.2.3',
      joinType: 'circleci',
      helper: 'circleci-orb:teleport/machine-id',
      helperVersion: '1.2.3',
      destinationsOther: 3,
      destinationsDatabase: 2,
      destinationsKubernetes: 1,
      destinationsApplication: 1,
    },
  });
});

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
