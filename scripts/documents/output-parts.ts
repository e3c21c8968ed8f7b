/** The files and keys of each output type, from their declarations. */
import type { FileInfo } from '../../src/outputs/file-list.ts';
import { OUTPUT_TYPES } from '../../src/outputs/outputs.ts';
import { COMMON_KEYS } from '../../src/schema/common.ts';
import { code, markdownTable, prose } from './markdown.ts';
import type { Parts } from './regions.ts';

interface Documented {
  readonly help: string | undefined;
  readonly keys: { readonly list: readonly DocumentedKey[] };
  readonly files: readonly Pick<FileInfo<never>, 'help' | 'name' | 'setting'>[];
}

interface DocumentedKey {
  readonly key: string;
  readonly help: string | undefined;
  readonly unsupported: boolean;
}

/** `output TYPE` is for outputs.md, `keys of all outputs` for tbot-yaml.md. */
export function outputParts(): Parts {
  const types: readonly (readonly [string, Documented])[] = Object.entries(OUTPUT_TYPES);
  return new Map([
    ...types.map(([type, output]) => [`output ${type}`, outputPart(output)] as const),
    ['keys of all outputs', keyTable(COMMON_KEYS.list)] as const,
  ]);
}

function outputPart({ files, help, keys }: Documented): string {
  return [prose(help ?? ''), keyTable(keys.list), fileTable(files)].join('\n\n');
}

function keyTable(list: readonly DocumentedKey[]): string {
  const meaning = ({ help, unsupported }: DocumentedKey) =>
    `${prose(help ?? '')}${unsupported ? ' Not supported yet: rejected with `OUTPUT_UNSUPPORTED`.' : ''}`;
  return markdownTable(
    ['Key', 'Meaning'],
    list.map((one) => [code(one.key), meaning(one)]),
  );
}

/** The nine files of every identity are one row where they come together with others. */
function fileTable(files: Documented['files']): string {
  const own = sharesIdentity(files) ? files.filter(({ name }) => !IDENTITY.includes(name)) : files;
  const shared = own === files ? [] : [['The files of [identity](#identity)', 'All but those for OpenSSH']];
  const rows = own.map(({ help = '', name, setting }) => {
    return [name.startsWith('`') ? name : code(name), setting === undefined ? help : `${help}, ${setting}`];
  });
  return markdownTable(['File', 'Contents'], [...shared, ...rows]);
}

const IDENTITY = OUTPUT_TYPES.identity.files
  .filter(({ setting }: { readonly setting?: string | undefined }) => setting === undefined)
  .map(({ name }) => name);

function sharesIdentity(files: Documented['files']): boolean {
  const names = files.map(({ name }) => name);
  return files !== OUTPUT_TYPES.identity.files && IDENTITY.every((name) => names.includes(name));
}
