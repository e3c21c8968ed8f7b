import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { endpointOf } from '../../src/outputs/aws-session.ts';

const ANCHOR = 'arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/t';
const OWN = 'AWS_ENDPOINT_URL_ROLESANYWHERE';

type Environment = Readonly<Record<string, string>>;

const endpoints: readonly (readonly [
  what: string,
  output: { readonly region?: string; readonly anchor?: string },
  environment: Environment,
  endpoint: string,
  region: string,
])[] = [
  [
    'the region is that of the trust anchor',
    {},
    {},
    'https://rolesanywhere.eu-central-1.amazonaws.com',
    'eu-central-1',
  ],
  ['a region of choice', { region: 'us-east-1' }, {}, 'https://rolesanywhere.us-east-1.amazonaws.com', 'us-east-1'],
  [
    'China has a domain of its own',
    { anchor: 'arn:aws-cn:rolesanywhere:cn-north-1:123456789012:trust-anchor/t' },
    {},
    'https://rolesanywhere.cn-north-1.amazonaws.com.cn',
    'cn-north-1',
  ],
  [
    "the service's own variable comes first",
    {},
    { [OWN]: 'https://vpce.example:8443/aws/', AWS_ENDPOINT_URL: 'https://all.example' },
    'https://vpce.example:8443/aws',
    'eu-central-1',
  ],
  [
    'the variable for all',
    {},
    { [OWN]: '', AWS_ENDPOINT_URL: 'https://all.example/' },
    'https://all.example',
    'eu-central-1',
  ],
  [
    'both may be switched off',
    {},
    { AWS_ENDPOINT_URL: 'https://all.example', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'True' },
    'https://rolesanywhere.eu-central-1.amazonaws.com',
    'eu-central-1',
  ],
];

for (const [what, { anchor = ANCHOR, region }, environment, endpoint, expectedRegion] of endpoints) {
  test(`the address of Roles Anywhere: ${what}`, () => {
    const found = endpointOf({ region, trustAnchorArn: anchor }, environment);
    assert.deepEqual(found, { endpoint, region: expectedRegion });
  });
}

for (const text of [
  'http://localhost:4566',
  'localhost:4566',
  'nonsense',
  'https://a b',
  'https://user:hunter2@a.example',
]) {
  test(`${text} is refused as an endpoint, and not quoted`, () => {
    assert.throws(
      () => endpointOf({ region: undefined, trustAnchorArn: ANCHOR }, { [OWN]: text }),
      (error) =>
        error instanceof MachineIdError &&
        error.code === 'AWS_UNREACHABLE' &&
        error.message.includes(OWN) &&
        !error.message.includes(text),
    );
  });
}
