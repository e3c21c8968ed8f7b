import assert from 'node:assert/strict';
import test from 'node:test';
import type { AppSessionParams, ResourceQuery } from '../../src/auth/auth-api.ts';
import { type PaginatedResource, PaginatedResourceSchema } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import type { Init } from '../../src/grpc/protobuf.ts';
import { findApplication, sessionFor } from '../../src/outputs/application.ts';
import { received } from '../grpc/received.ts';

const PLACE = 'outputs[0].app_name';
const DASHBOARD = { name: 'dashboard', labels: { env: 'prod' } };
const ADDRESS = 'dashboard.example.com';
const TARGET = { userName: 'bot-ci', publicAddress: ADDRESS, clusterName: 'root.example.com' };

type App = Extract<NonNullable<Init<PaginatedResource>['resource']>, { case: 'appServer' }>['value'];

function served(...apps: readonly App[]): PaginatedResource[] {
  return apps.map((value) => received(PaginatedResourceSchema, { resource: { case: 'appServer', value } }));
}

function lister(found: readonly PaginatedResource[]) {
  const asked: ResourceQuery[] = [];
  const listResources = (query: ResourceQuery) => {
    asked.push(query);
    return Promise.resolve(found);
  };
  return { asked, listResources };
}

function sessions(id: string) {
  const asked: AppSessionParams[] = [];
  const createAppSession = (question: AppSessionParams) => {
    asked.push(question);
    return Promise.resolve(id);
  };
  return { asked, createAppSession };
}

test('an application is asked for by its own name, whichever agents serve it', async () => {
  const uri = 'http://127.0.0.1:8000';
  const server: App = { spec: { app: { metadata: DASHBOARD, spec: { publicAddr: ADDRESS, uri } } } };
  const api = lister(served(server, server));
  assert.deepEqual(await findApplication(api, 'dashboard', PLACE), { ...DASHBOARD, publicAddress: ADDRESS, uri });
  assert.deepEqual(api.asked, [{ resourceType: 'app_server', predicate: 'name == "dashboard"' }]);
});

test('a name cannot leave the text of the predicate', async () => {
  const api = lister([]);
  await assert.rejects(findApplication(api, 'x" || "a" == "a', PLACE), { code: 'RESOURCE_UNKNOWN' });
  assert.equal(api.asked[0]?.predicate, String.raw`name == "x\" || \"a\" == \"a"`);
});

for (const [what, servers] of [
  ['an answer without servers', []],
  ['a server without an application', served({})],
  ['a resource that is no application', [received(PaginatedResourceSchema, {})]],
  ['an application of another name', served({ spec: { app: { metadata: { name: 'dashboards' } } } })],
] as const) {
  test(`${what} is not the application`, async () => {
    const says = { code: 'RESOURCE_UNKNOWN', message: `${PLACE}: application "dashboard" not found` };
    await assert.rejects(findApplication(lister(servers), 'dashboard', PLACE), says);
  });
}

for (const major of [15, 16]) {
  test(`Teleport ${String(major)} is asked for a session with the application`, async () => {
    const api = sessions('0a1b');
    assert.equal(await sessionFor(api, TARGET, { major }), '0a1b');
    assert.deepEqual(api.asked, [TARGET]);
  });
}

for (const major of [17, 18]) {
  test(`Teleport ${String(major)} makes the session itself`, async () => {
    const api = sessions('0a1b');
    assert.equal(await sessionFor(api, TARGET, { major }), '');
    assert.deepEqual(api.asked, []);
  });
}

test('a session without an id is an error, since its certificate would open nothing', async () => {
  await assert.rejects(sessionFor(sessions(''), TARGET, { major: 15 }), { code: 'RESPONSE_INVALID' });
});
