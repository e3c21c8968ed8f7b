import assert from 'node:assert/strict';
import test from 'node:test';
import { startEvent } from '../../src/commands/telemetry.ts';

const EVENT_ID = '8f8d2d7a-6d5d-4c0e-9a63-0d7f0c5b9a11';

test('the event has the time, the version and the number of outputs of each type', () => {
  const outputTypes = ['identity', 'database', 'kubernetes', 'database', 'kubernetes/v2', 'application', 'ssh_host'];
  const event = startEvent({ outputTypes, version: '1.2.3', eventId: EVENT_ID, startedMs: 1_700_000_000_123 });
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
