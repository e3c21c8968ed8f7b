import assert from 'node:assert/strict';
import test from 'node:test';
import { singleSvid } from '../../src/outputs/workload-identity.ts';

const byName = { name: 'web', labels: {} };
const byLabels = { name: undefined, labels: { env: ['dev', 'prod'], team: ['ci'] } };
const web = { name: 'web', spiffeId: 'spiffe://a/web' };

test('one SVID is the one', () => {
  assert.equal(singleSvid([web], byName, 'outputs[0]'), web);
});

test('no SVID is an error that names the selector', () => {
  assert.throws(() => singleSvid([], byName, 'outputs[0]'), {
    code: 'RESOURCE_UNKNOWN',
    message: 'outputs[0].selector: there is no workload identity "web" that the output may use',
  });
});

test('several are an error that names them', () => {
  assert.throws(() => singleSvid([web, { ...web, name: 'api' }], byLabels, 'outputs[1]'), {
    code: 'RESOURCE_UNKNOWN',
    message: 'outputs[1].selector: more than one workload identity with the labels env: dev|prod, team: ci: web, api',
  });
});
