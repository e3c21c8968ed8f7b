import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { errorOf, faultsOf, planOf, v2 } from './plan-of.ts';

const ITEM = '{type: identity, destination: {type: memory}}';
const V1 = 'auth_server: a.example.com:3025\nonboarding: {token: t}\n';

const STRAYS: readonly (readonly [text: string, faults: readonly string[]])[] = [
  [
    v2('destinations:\n- directory: /x\n  kubernetes_cluster: dev\n  roles: [a]\n'),
    [
      'destinations:4: unknown key "destinations" is ignored: it is a key of version v1; in version v2 write "outputs", with a "type" and a "destination" for each',
      'destinations[0].directory:5: is a key of version v1; in version v2 write "destination: {type: directory, path: DIR}"',
      'destinations[0].kubernetes_cluster:6: is a key of version v1; in version v2 write "type: kubernetes" next to it',
    ],
  ],
  [v2(`output: [${ITEM}]\noutputs: []\n`), ['output:4: unknown key "output" is ignored; did you mean "outputs"?']],
  [v2(`tbot:\n  outputs: [${ITEM}]\n`), ['tbot:4: unknown key "tbot" is ignored']],
  [v2(`things: [${ITEM}]\n`), ['things:4: unknown key "things" is ignored']],
  [v2('role_arn: a\n'), ['role_arn:4: unknown key "role_arn" is ignored']],
  [v2('directory: /x\n'), ['directory:4: unknown key "directory" is ignored']],
  [
    v2('type: identity\ndestination: {type: directory, path: /x}\n'),
    ['type:4: unknown key "type" is ignored', 'destination:5: unknown key "destination" is ignored'],
  ],
  [
    v2('outputs: []\n---\nversion: v2\n'),
    ['document:5: another YAML document begins here, but only the first is read: put all settings into one document'],
  ],
  [
    v2('---\n# note\n---\n{[ not yaml\n'),
    ['document:6: another YAML document begins here, but only the first is read: put all settings into one document'],
  ],
  [
    `${V1}destination:\n- directory: /x\n`,
    ['destination:3: unknown key "destination" is ignored; did you mean "destinations"?'],
  ],
];

test('an ignored item that leaves nothing to write is an error', async () => {
  for (const [text, faults] of STRAYS) assert.deepEqual(await faultsOf(text), faults, text);
});

test('the same is a warning where there is something to write', async () => {
  for (const [text, faults] of STRAYS) {
    const plan = await planOf(text, { flags: { destination: 'out' } });
    const [, line = ''] = /:(\d+): /.exec(faults[0] ?? '') ?? [];
    assert.ok(
      plan.warnings.some((warning) => warning.startsWith(`tbot.yaml line ${line}: `)),
      plan.warnings.join('\n'),
    );
  }
});

test('a document that is empty or only a comment does not count, wherever it follows the first', async () => {
  for (const end of ['---\n', '---\n# nothing\n', '...\n', '---\n---\nnull\n', '---\n~\n']) {
    const plan = await planOf(`# a comment\n---\n${v2(`outputs: [${ITEM}]\n`)}${end}`);
    assert.deepEqual([plan.outputs.length, plan.warnings], [1, []], end);
    assert.deepEqual((await planOf(v2(end))).warnings, [], end);
  }
});

test('an empty first document is refused with its line, and that of the one with the settings', async () => {
  for (const [start, first, second] of [
    ['---\n---\n', 1, 2],
    ['---\n# only a comment\n---\n', 1, 3],
    ['\n--- ~\n---\n', 2, 3],
    ['# a comment\n---\nnull\n...\n---\n', 2, 5],
  ] as const) {
    assert.deepEqual(
      await faultsOf(`${start}${v2('')}`),
      [
        `document:${first}: the first YAML document is empty, and only the first is read: remove the "---" above line ${second}`,
      ],
      start,
    );
  }
  for (const text of ['', '# nothing\n', '\n\n']) {
    assert.deepEqual(await faultsOf(text), ['document:1: failed parsing config file: EOF: the file is empty'], text);
  }
});

const OTHER_VERSION: readonly (readonly [text: string, says: string])[] = [
  [v2('outputs: [{type: identity, directory: /x}]\n'), 'version v2 write "destination: {type: directory, path: DIR}"'],
  [v2('outputs: [{type: identity, memory: {}}]\n'), 'version v2 write "destination: {type: memory}"'],
  [v2('outputs: [{directory: /x}]\n'), '"type" is missing; write "type: identity"; "directory" is a key of version v1'],
  [v2('outputs: [{app: a, directory: /x}]\n'), 'write "type: application"'],
  [v2('outputs: [{directory: /x, database: {service: s}}]\n'), 'write "type: database"'],
  [v2('outputs: [{directory: /x, kubernetes_cluster: k}]\n'), 'write "type: kubernetes"'],
  [v2('outputs: [{directory: /x, configs: [tls]}]\n'), '"configs" is a key of version v1'],
  [v2('outputs: [{type: identity, destination: {path: /x}}]\n'), '"type" is missing; write "type: directory"'],
  [v2('outputs: [{type: identity, destination: {directory: /x}}]\n'), 'write "type: directory" and "path" instead of'],
  [v2('outputs: [{type: identity, destination: {memory: {}}}]\n'), 'write "type: memory" instead of "memory"'],
  [v2('outputs: [{type: identity, destination: {name: s}}]\n'), 'write "type: kubernetes_secret"'],
  [v2('outputs: [{type: identity, destination: /x}]\n'), 'write {type: directory, path: /x}'],
  [v2('outputs: [{type: identity, destination: {type: file, path: /x}}]\n'), 'expected one of directory, memory, kube'],
  [
    v2('outputs: [{type: database, destination: {type: memory}, database: {service: s}}]\n'),
    'in version v2 write "serv',
  ],
  [v2('storage: {directory: /x}\n'), 'write "type: directory" and "path" instead of "directory"'],
  [v2('storage: {memory: true}\n'), 'write "type: memory" instead of "memory", a key of version v1'],
  [v2('storage: memory\n'), 'write {type: memory}'],
  [
    'version: v2\nproxy_server: p:1\nonboarding: {token_name: t}\n',
    'unknown key "token_name" is ignored; write "token"',
  ],
  ['version: v2\nproxy: p:1\nonboarding: {token: t}\n', 'unknown key "proxy" is ignored; write "proxy_server"'],
  ['version: v2\nproxy_server: p:1\ntoken: t\n', 'unknown key "token" is ignored; write "token" below "onboarding"'],
  [`${V1}destinations: [{destination: {type: directory, path: /x}}]\n`, 'in version v1 write "directory: DIR"'],
  [`${V1}destinations: [{directory: /x, database: orders}]\n`, 'in version v1 write "database: {service: NAME'],
];

test('a key of the other version is named in the words of the one that the file has', async () => {
  for (const [text, says] of OTHER_VERSION) {
    const { message } = await errorOf(text);
    assert.ok(message.includes(says), `${text}\n${message}`);
  }
});

const WARNED: readonly (readonly [text: string, says: string])[] = [
  [v2(`outputs: [{type: identity, destination: {type: memory}, kinds: [ssh]}]\n`), 'kinds" is ignored: it is a key of'],
  [
    v2(`outputs: [{type: database, service: s, destination: {type: memory}, subtype: mongo}]\n`),
    'in version v2 write "format"',
  ],
  [
    v2(`outputs: [{type: identity, destination: {type: memory}, certificate_ttl: 1h}]\n`),
    'in version v2 write "credential_ttl"',
  ],
  [`${V1}credential_ttl: 1h\n`, 'in version v1 write "certificate_ttl"'],
  [`${V1}insecure: true\n`, 'only version v2 has it'],
  [`${V1}join_uri: x\n`, 'only version v2 has it'],
  [`${V1}storage: {type: memory}\n`, 'in version v1 write "directory: DIR" or "memory: {}"'],
  [`${V1}destinations: [{directory: /x, app_name: a}]\n`, 'in version v1 write "app"'],
  [`${V1}destinations: [{directory: /x, principals: [a]}]\n`, 'in version v1 write "configs: [ssh_host_cert'],
  [`${V1}destinations: [{directory: /x, ssh_config: off}]\n`, 'only version v2 has it'],
];

test('a key of the other version that leaves enough to work with is a warning in the same words', async () => {
  for (const [text, says] of WARNED) {
    const { warnings } = await planOf(text);
    assert.ok(
      warnings.some((warning) => warning.includes(says)),
      `${text}\n${warnings.join('\n')}`,
    );
  }
});

const TEMPLATES: readonly (readonly [what: string, text: string, lines: readonly number[]])[] = [
  ['Helm', 'version: v2\nproxy_server: {{ .Values.proxy }}\nonboarding: {token: t}\n', [2]],
  [
    'Helm with a condition',
    '{{- if .Values.enabled }}\nversion: v2\nproxy_server: p:1\nonboarding:\n  token: {{ .Values.token | quote }}\n{{- end }}\n',
    [1, 5, 6],
  ],
  ['Helm within a value', 'version: v2\nproxy_server: {{ .Values.host }}:443\nonboarding: {token: t}\n', [2]],
  ['Jinja', 'version: v2\n{% for x in y %}\nproxy_server: "{{ x }}"\n{% endfor %}\n', [2, 3, 4]],
  ['ERB', 'version: v2\nproxy_server: <%= @proxy %>\nonboarding: {token: t}\n', [2]],
  ['ERB with a statement', 'version: v2\n<% if x %>\nproxy_server: p:1\n<% end %>\n', [2, 4]],
  ['envsubst', 'version: v2\nproxy_server: ${PROXY}\nonboarding: {token: "$TOKEN"}\n', [2, 3]],
  ['CircleCI', 'version: v2\nproxy_server: << parameters.proxy >>\nonboarding: {token: t}\n', [2]],
  ['a token from a variable', 'version: v2\nproxy_server: p:1\nonboarding: {token: "${TOKEN}"}\n', [3]],
  ['a lifetime from a variable', v2('credential_ttl: ${TTL}\n'), [4]],
  ['a switch from a variable', v2('debug: $DEBUG\n'), [4]],
  ['a list from a parameter', v2('outputs: << parameters.outputs >>\n'), [4]],
  ['a type from a variable', v2('outputs:\n- type: ${TYPE}\n'), [5]],
  ['a role from a variable', v2(`outputs:\n- {type: identity, roles: ["$ROLE"], destination: {type: memory}}\n`), [5]],
  ['a template across lines', 'version: v2\nproxy_server: {{\n  .Values.proxy\n}}\n', [2]],
  ['the version', 'version: ${VERSION}\n', [1]],
  ['a path that YAML refuses', v2('storage: {type: directory,\n  path: `pwd`/s }\n'), [5]],
  ['a placeholder', 'version: v2\nproxy_server: __PROXY__:443\nonboarding: {token: "@TOKEN@"}\n', [2, 3]],
  ['a placeholder that YAML refuses', 'version: v2\nproxy_server: @PROXY@\nonboarding: {token: <TOKEN>}\n', [2, 3]],
  ['a Windows path that YAML refuses', v2('storage:\n  type: directory\n  path: %TEMP%/s\n'), [6]],
];

for (const [what, text, lines] of TEMPLATES) {
  test(`a template is found with its line: ${what}`, async () => {
    const faults = await faultsOf(text);
    assert.deepEqual(
      faults.map((fault) => Number(/:(\d+): /.exec(fault)?.[1])),
      lines,
      faults.join('\n'),
    );
    for (const fault of faults) assert.match(fault, / is not expanded here: write /);
  });
}

test('what else is wrong with the YAML of a template is reported beside it, and comments are not', async () => {
  const text = '# {{ managed }}\nversion: v2\nproxy_server: {{ proxy }} # {{ proxy }}\nonboarding: [\n';
  const faults = await faultsOf(text);
  assert.match(
    faults.join('\n'),
    /^document:3: "\{\{ proxy \}\}" is not expanded here: .*\ndocument:\d: failed parsing/,
  );
  assert.doesNotMatch(faults.join('\n'), /^document:1:/m);
});

test('what is a template by itself is left alone', async () => {
  const plan = await planOf(
    v2(`outputs:
- type: kubernetes/v2
  context_name_template: '{{.KubeName}}'
  selectors: [{labels: {price: 'a$b'}}]
  destination: {type: memory}
services:
- {type: example, message: '{{ hello }}'}
- {type: database-tunnel, listen: 'tcp://127.0.0.1:1', service: s, database: d, username: 'C$APP'}
`),
  );
  assert.deepEqual([plan.outputs.length, plan.tunnels.length, plan.services.length], [1, 1, 1]);
});

test('a variable in a value that a flag replaces does no harm', async () => {
  const text = 'version: v2\nproxy_server: ${PROXY}\nonboarding: {token: $TOKEN}\noutputs: []\n';
  const plan = await planOf(text, { flags: { proxyServer: 'p.example.com:443', token: 't' } });
  assert.deepEqual([plan.address.value, plan.token], ['p.example.com:443', 't']);
});

const OTHER_FILES: readonly (readonly [text: string, line: number, what: string])[] = [
  ['version: v3\nteleport: {nodename: ci}\nssh_service: {enabled: true}\n', 2, 'a teleport.yaml'],
  ['version: v2\nssh_service: {enabled: true}\n', 2, 'a teleport.yaml'],
  ['kind: token\nversion: v2\nmetadata: {name: t}\nspec: {roles: [Bot]}\n', 1, 'the resource of a join token'],
  ['kind: role\nversion: v7\nmetadata: {name: r}\n', 1, 'a Teleport resource of kind "role"'],
  ['apiVersion: v1\nkind: Config\nclusters: []\n', 2, 'a kubeconfig'],
  ['apiVersion: v1\nkind: ConfigMap\ndata: {}\n', 2, 'a Kubernetes resource of kind "ConfigMap"'],
  ['apiVersion: resources.teleport.dev/v2\nkind: TeleportProvisionToken\n', 2, 'a Kubernetes resource of kind "Tel'],
  ['clusters: []\ncontexts: []\nusers: []\n', 1, 'a kubeconfig'],
  ['version: 2.1\njobs: {a: {}}\nworkflows: {b: {}}\n', 3, 'a CircleCI config'],
  ['version: 2.1\norbs: {a: b}\n', 2, 'a CircleCI config'],
  ['name: x\non: push\njobs: {}\n', 3, 'a GitHub Actions workflow'],
  ['services:\n  web: {image: x}\n', 1, 'a Compose file'],
  ['teleportProxyAddress: p:1\nclusterName: c\n', 1, 'the values of the Helm chart tbot'],
  ['a: b\ntbotConfig:\n  version: v2\n', 2, 'the values of the Helm chart tbot (whose tbotConfig is a tbot.yaml)'],
  ['-----BEGIN RSA PRIVATE KEY-----\nMIIEsecret\n', 1, 'a PEM file'],
  ['<!DOCTYPE html>\n<html>', 1, 'a web page'],
  ['#!/bin/sh\nset -e\n', 1, 'a script'],
];

test('another kind of file is called by its name, and nothing in it is repeated', async () => {
  for (const [text, line, what] of OTHER_FILES) {
    const [fault = '', ...others] = await faultsOf(text);
    assert.ok(fault.includes(`looks like ${what}`), `${text}\n${fault}`);
    assert.match(fault, new RegExp(`^[^:]+:${line}: `));
    assert.match(fault, /not a tbot\.yaml: pass the file that tbot would read, or use --proxy-server/);
    assert.deepEqual(others, []);
    assert.doesNotMatch(fault, /secret/);
  }
});

test('all that is not expanded is reported at once, also beside an unknown type or join method', async () => {
  const faults = await faultsOf(`version: v2
proxy_server: '{{ proxy }}'
onboarding:
  token: $TOKEN
  join_method: \${METHOD}
outputs:
- type: <<type>>
  destination: {type: directory, path: ~/x}
- destination: {type: directory, path: $Y}
`);
  assert.deepEqual(
    faults.map((fault) => fault.replace(/: .*/, '')),
    [
      'proxy_server:2',
      'onboarding.token:4',
      'onboarding.join_method:5',
      'outputs[0].type:7',
      'outputs[0].destination.path:8',
      'outputs[1].destination.path:9',
      'outputs[1].type:9',
    ],
    faults.join('\n'),
  );
});

test('a file for tbot is one whatever else it holds', async () => {
  const plan = await planOf(v2(`teleport: {}\nkind: x\njobs: {}\noutputs: [${ITEM}]\n`));
  assert.equal(plan.outputs.length, 1);
});

test('a file of one secret text does not show it', async () => {
  const { message } = await errorOf('hunter2-is-the-secret\n');
  assert.doesNotMatch(message, /hunter2/);
});

test('a wildcard in labels is a warning with its line, next to the problems of other outputs', async () => {
  const { message } = await errorOf(
    v2(`outputs:
- {type: kubernetes, kubernetes_cluster: 'prod-*', destination: {type: memory}}
- type: kubernetes/v2
  destination: {type: memory}
  selectors:
  - labels: { '*': '*' }
  - labels:
      env: 'prod-*'
- {type: database, service: '*', destination: {type: memory}}
- {type: application, app_name: 'a*', destination: {type: memory}}
`),
  );
  for (const says of [
    /line 5: outputs\[0\]\.kubernetes_cluster: "\*" is not a wildcard in a name, and "prod-\*" would match nothing/,
    /line 12: outputs\[2\]\.service: "\*" is not a wildcard in a name/,
    /line 13: outputs\[3\]\.app_name: "\*" is not a wildcard in a name/,
    /line 9: outputs\[1\]\.selectors\[0\]\.labels\.\*: "\*" is not a wildcard here: only a cluster with the label "\*: \*" matches/,
    /line 11: outputs\[1\]\.selectors\[1\]\.labels\.env: "\*" is not a wildcard here/,
  ]) {
    assert.match(message, says);
  }
});

test('keys that mean something to JavaScript mean nothing here', async () => {
  const plan = await planOf(v2('__proto__: {insecure: true}\nconstructor: x\ntoString: y\n'));
  assert.equal(plan.insecure, false);
  assert.equal(plan.warnings.length, 3);
});

test('a key or value with a line break in it cannot look like a separate finding', async () => {
  const text = v2('"a\\n  tbot.yaml line 9: forged": 1\noneshot: "x\\ny"\n');
  await assert.rejects(planOf(text), (error) => {
    assert.ok(error instanceof MachineIdError);
    assert.deepEqual(error.message.split('\n'), [
      'tbot.yaml line 5: oneshot: cannot unmarshal !!str `x y` into bool; write true or false',
      'also noticed:',
      '  tbot.yaml line 4: a   tbot.yaml line 9: forged: unknown key "a   tbot.yaml line 9: forged" is ignored',
    ]);
    return true;
  });
});
