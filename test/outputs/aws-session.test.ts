import assert from 'node:assert/strict';
import test from 'node:test';
import { domainOf, parseArn } from '../../src/outputs/aws-session.ts';

test('an ARN has its parts by their names', () => {
  assert.deepEqual(parseArn('arn:aws-cn:rolesanywhere:cn-north-1:123456789012:profile/a:b'), {
    partition: 'aws-cn',
    service: 'rolesanywhere',
    region: 'cn-north-1',
    account: '123456789012',
    resource: 'profile/a:b',
  });
  assert.equal(parseArn('arn:aws:iam::123456789012:role/ci')?.region, '');
  assert.equal(domainOf('aws-cn'), 'amazonaws.com.cn');
  assert.equal(domainOf('aws-us-gov'), 'amazonaws.com');
  assert.equal(domainOf('aws-eusc'), 'amazonaws.eu');
});

for (const text of [
  '',
  'arn',
  'arn:aws:iam::12:role/x',
  'arn:gcp:iam::123456789012:role/x',
  'arn:aws:iam::123456789012:a b',
]) {
  test(`${JSON.stringify(text)} is not an ARN`, () => {
    assert.equal(parseArn(text), undefined);
  });
}
