/**
 * Other orbs from the same sources.
 *
 *   whole          the released orb, with both kinds of delivery
 *   download-only  the same without the embedded script, in case the registry rejects the size of the whole orb
 *   embedded       a second orb in that case, teleport/machine-id-embedded: only the command install, with the script
 *   delegating     the whole orb with `run` as another name of `join`; tests whether CircleCI accepts such an orb
 */
import { type Document, isMap, isScalar, isSeq, parse, parseDocument } from 'yaml';
import { orbText } from './pack.ts';
import { OrbSourceError } from './source-error.ts';

export const VARIANTS = ['whole', 'download-only', 'embedded', 'delegating'] as const;
export type Variant = (typeof VARIANTS)[number];

type Files = ReadonlyMap<string, string>;
type Mapping = Readonly<Record<string, unknown>>;

const INSTALL = 'commands/install.yml';

/**
 * @param orb the source tree of the whole orb
 * @param embedded the files that only the second orb has (embedded.yml); its other files come from `orb`
 */
export function variantSources(variant: Variant, orb: Files, embedded: Files): Files {
  switch (variant) {
    case 'whole':
    case 'delegating':
      return orb;
    case 'download-only':
      return withoutScript(orb);
    case 'embedded':
      return embeddedOrb(orb, embedded);
    default:
      return variant satisfies never;
  }
}

/** The sources for trying a version before its release, when there is nothing to download yet. */
export function withScriptByDefault(files: Files): Files {
  return editedComponents(files, (document) => {
    if (document.hasIn(DELIVERY)) document.setIn([...DELIVERY, 'default'], 'embedded');
  });
}

const DELIVERY = ['parameters', 'delivery'];

/** Removes examples with the embedded script; the second orb has one. */
function withoutScript(files: Files): Files {
  const remaining = new Map([...files].filter(([, text]) => !text.includes(' delivery: embedded\n')));
  const edited = editedComponents(remaining, (document) => {
    if (!document.hasIn(DELIVERY)) return;
    document.setIn([...DELIVERY, 'enum'], document.createNode(['download'], { flow: true }));
    document.setIn(
      [...DELIVERY, 'description'],
      'Where the script comes from: a release asset. Without downloads, call install of teleport/machine-id-embedded before.',
    );
    const steps = document.get('steps');
    if (isSeq(steps)) steps.items = steps.items.filter((_, at) => deliveryOf(document, at) !== 'embedded');
  });
  return withText(
    edited,
    'use the script in the orb (delivery: embedded)',
    'call install of the orb teleport/machine-id-embedded before this step',
  );
}

function embeddedOrb(orb: Files, own: Files): Files {
  const install = parseDocument(orb.get(INSTALL) ?? '');
  const steps = install.get('steps');
  if (!isSeq(steps)) throw new OrbSourceError([`${INSTALL} has no steps`]);
  // The second orb has no other commands that a step could call.
  const always = steps.items.filter(
    (step, at) => deliveryOf(install, at) === undefined && !String(step).includes('install_tools'),
  );
  const embedded = steps.items.flatMap((_, at) => {
    const inside = install.getIn(['steps', at, 'when', 'steps']);
    return deliveryOf(install, at) === 'embedded' && isSeq(inside) ? inside.items : [];
  });
  steps.items = [...always, ...embedded];
  install.setIn(['steps', always.length, 'run', 'environment', 'MACHINE_ID_PARAM_BUNDLE_PATH'], '');
  keepUsedParameters(install);
  const scripts = new Map([...orb].filter(([path]) => path.startsWith('scripts/')));
  return new Map([
    ...withText(
      scripts,
      'Set the parameter delivery to download.',
      'Use install of teleport/machine-id instead, which downloads it.',
    ),
    ...own,
    ['@orb.yml', withOwnKeys(parseDocument(orb.get('@orb.yml') ?? ''), own.get('@orb.yml'))],
    [INSTALL, withOwnKeys(install, own.get(INSTALL))],
  ]);
}

/** The value of `delivery` for which this step runs; undefined if it does not depend on it. */
function deliveryOf(document: Document, step: number): unknown {
  const isOfDelivery = String(document.getIn(['steps', step, 'when', 'condition', 'equal', 1])).includes('delivery');
  return isOfDelivery ? document.getIn(['steps', step, 'when', 'condition', 'equal', 0]) : undefined;
}

function keepUsedParameters(document: Document): void {
  const parameters = document.get('parameters');
  if (!isMap(parameters)) return;
  const text = JSON.stringify(document.get('steps'));
  parameters.items = parameters.items.filter(
    ({ key }) => isScalar(key) && text.includes(`<< parameters.${String(key.value)} >>`),
  );
}

function withOwnKeys(document: Document, own = ''): string {
  const keys: unknown = parse(own);
  if (typeof keys === 'object' && keys !== null) {
    for (const [key, value] of Object.entries(keys)) document.set(key, value);
  }
  return printed(document);
}

function editedComponents(files: Files, edit: (document: Document) => void): Files {
  return new Map(
    [...files].map(([path, text]) => {
      if (!/^(?:commands|jobs)\/.*\.yml$/.test(path)) return [path, text];
      const document = parseDocument(text);
      edit(document);
      return [path, printed(document)];
    }),
  );
}

function printed(document: Document): string {
  return document.toString({ lineWidth: 120 });
}

/** Replaces a text in the scripts. @throws OrbSourceError if no script contains it */
function withText(files: Files, from: string, to: string): Files {
  if (![...files.values()].some((text) => text.includes(from))) {
    throw new OrbSourceError([`no script contains "${from}"`]);
  }
  return new Map([...files].map(([path, text]) => [path, text.replaceAll(from, to)]));
}

/**
 * The packed orb with its commands in an inline orb, and `run` as another name of `join`. In the outer orb, `run` hides
 * CircleCI's own step, so no step of the outer orb may use that.
 */
export function delegating(packed: string): string {
  const orb = mappingOf(parse(packed));
  const commands = mappingOf(orb.commands);
  if (/"run":\{"(?:name|command)":/.test(JSON.stringify(orb.jobs))) {
    throw new OrbSourceError(["a job of the delegating orb uses CircleCI's own step run"]);
  }
  const outer = Object.entries({ ...commands, run: commands.join }).map(([name, command]) => [
    name,
    delegatingCommand(mappingOf(command), name === 'run' ? 'join' : name),
  ]);
  const { version, description, display, ...rest } = orb;
  return orbText({
    version,
    description,
    display,
    orbs: { steps: { commands } },
    ...rest,
    commands: Object.fromEntries(outer),
  });
}

function delegatingCommand({ description, parameters }: Mapping, name: string): Mapping {
  const given = Object.keys(mappingOf(parameters)).map((key) => [key, `<< parameters.${key} >>`] as const);
  return { description, parameters, steps: [{ [`steps/${name}`]: Object.fromEntries(given) }] };
}

function mappingOf(value: unknown): Mapping {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
