#!/usr/bin/env node
// A buf plugin that generates message types and the tables of their fields and methods for src/grpc.
import { createEcmaScriptPlugin, runNodeJs } from '@bufbuild/protoplugin';
import { ScalarType } from '@bufbuild/protobuf';

const CODECS = new Map([
  [ScalarType.STRING, { codec: 'text', type: 'string', empty: `''` }],
  [ScalarType.BYTES, { codec: 'bytes', type: 'Uint8Array', empty: 'new Uint8Array()' }],
  [ScalarType.BOOL, { codec: 'bool', type: 'boolean', empty: 'false' }],
  [ScalarType.INT32, { codec: 'int32', type: 'number', empty: '0' }],
]);

/** Messages of google.protobuf. */
const WELL_KNOWN = { Timestamp: 'protobuf-values.ts', Duration: 'protobuf-values.ts' };
const PACKAGE = 'google.protobuf.';

/** Matches names that protobuf-values.ts exports (codecs); protobuf.ts exports the others. */
const OF_VALUES = /^(?!.*Schema$|type |method$)/;

runNodeJs(
  createEcmaScriptPlugin({
    name: 'protoc-gen-messages',
    version: 'v1',
    generateTs: (schema) => {
      for (const file of schema.files) generate(schema, file);
    },
  }),
);

function generate(schema, file) {
  const output = schema.generateFile(`${file.name}_pb.ts`);
  const up = '../'.repeat(file.name.split('/').length);
  const imports = new Map();
  const need = (from, ...names) => imports.set(from, new Set([...(imports.get(from) ?? []), ...names]));
  const use = (name) => (need(`${up}${OF_VALUES.test(name) ? 'protobuf-values.ts' : 'protobuf.ts'}`, name), name);
  /** @returns the name of a message, after adding the imports it needs */
  const named = (message, needed = [message.name, `${message.name}Schema`]) => {
    const known = message.typeName.startsWith(PACKAGE);
    if (known && !(message.name in WELL_KNOWN)) throw new Error(`${message.typeName} is not supported`);
    const from = known ? up + WELL_KNOWN[message.name] : `${up}gen/${message.file.name}_pb.ts`;
    if (message.file !== file) {
      need(from, ...needed.map((name) => (name.endsWith('Schema') ? name : `type ${name}`)));
    }
    return message.name;
  };

  const body = [
    ...file.messages.flatMap((message) => messageLines(message, { use, named })),
    ...file.services.flatMap((service) => serviceLines(service, { use, named })),
  ];
  output.print(`// Generated from proto/${file.name}.proto by "npm run generate". Do not edit.`);
  for (const [from, names] of [...imports].sort(([a], [b]) => (a < b ? -1 : 1))) {
    output.print(`import { ${[...names].sort().join(', ')} } from '${from}';`);
  }
  for (const line of body) output.print(line);
}

function messageLines(message, { use, named }) {
  use('messageSchema');
  use('type MessageSchema');
  const { name } = message;
  const parts = message.members.map((member) => (member.kind === 'oneof' ? union(member) : single(member)));
  const makers = [...new Set(message.members.map(({ kind }) => (kind === 'oneof' ? 'member' : 'field')))];
  const table =
    makers.length === 0 ? '' : `, ({ ${makers.join(', ')} }) => [\n${parts.flatMap(({ table }) => table).join('')}]`;
  return [
    '',
    parts.length === 0
      ? `export type ${name} = Record<string, never>;`
      : `export interface ${name} {\n${parts.map(({ type }) => type).join('')}}`,
    `export const ${name}Schema: MessageSchema<${name}> = /* @__PURE__ */ messageSchema<${name}>(() => ({ ${parts.flatMap(({ empty }) => empty).join(', ')} })${table});`,
  ];

  function single(field) {
    const { codec, type, empty } = valueOf(field);
    return {
      type: `  ${field.localName}: ${type};\n`,
      empty: [`${field.localName}: ${empty}`],
      table: [`  field(${field.number}, '${field.localName}', ${codec}),\n`],
    };
  }

  function valueOf(field) {
    switch (field.fieldKind) {
      case 'scalar': {
        const { codec, type, empty } = scalar(field.scalar);
        if (field.presence === 1) {
          return { codec: `${use('optional')}(${codec})`, type: `${type} | undefined`, empty: 'undefined' };
        }
        return { codec, type, empty };
      }
      case 'message': {
        const type = named(field.message);
        return {
          codec: `${use('optional')}(${use('message')}(${type}Schema))`,
          type: `${type} | undefined`,
          empty: 'undefined',
        };
      }
      case 'list': {
        if (field.listKind === 'message') {
          const type = named(field.message);
          return { codec: `${use('list')}(${use('message')}(${type}Schema))`, type: `${type}[]`, empty: '[]' };
        }
        // Lists of numbers are packed, which is not supported.
        if (field.scalar !== ScalarType.STRING && field.scalar !== ScalarType.BYTES) break;
        const { codec, type } = scalar(field.scalar);
        return { codec: `${use('list')}(${codec})`, type: `${type}[]`, empty: '[]' };
      }
      case 'map':
        if (field.mapKey !== ScalarType.STRING || field.scalar !== ScalarType.STRING) break;
        return { codec: use('map'), type: 'Record<string, string>', empty: '{}' };
    }
    throw new Error(`${field.toString()}: this kind of field is not supported`);
  }

  function scalar(kind) {
    const known = CODECS.get(kind);
    if (known === undefined) throw new Error(`${name} has a scalar type that is not supported`);
    use(known.codec);
    return known;
  }

  function union(oneof) {
    const { localName } = oneof;
    const cases = oneof.fields.map((field) => ({ ...field, type: named(field.message), localName: field.localName }));
    use('message');
    use('type Init');
    const types = cases.map(({ localName: one, type }) => `{ case: '${one}'; value: ${type} }`);
    return {
      type: `  ${localName}: ${[...types, '{ case: undefined; value?: undefined }'].join(' | ')};\n`,
      empty: [`${localName}: { case: undefined }`],
      table: cases.map(
        ({ localName: one, name: kind, number, type }) =>
          `  member(${number}, '${kind}', message(${type}Schema), ({ ${localName}: one }: Init<${name}>) => one?.case === '${one}' ? one.value : undefined, (into, value) => { into.${localName} = { case: '${one}', value }; }),\n`,
      ),
    };
  }
}

function serviceLines(service, { use, named }) {
  use('method');
  const schema = (message) => `${named(message, [`${message.name}Schema`])}Schema`;
  const methods = service.methods.map(
    ({ input, localName, name, output }) =>
      `  ${localName}: /* @__PURE__ */ method('/${service.typeName}/${name}', ${schema(input)}, ${schema(output)}),\n`,
  );
  return ['', `export const ${service.name} = {\n${methods.join('')}};`];
}
