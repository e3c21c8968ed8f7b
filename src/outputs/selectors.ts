/** Selectors: how an output picks resources by their name or by their labels. */
import * as z from 'zod/mini';
import { refuseWildcard } from '../schema/common.ts';
import {
  type Context,
  type Field,
  list,
  record,
  refuse,
  section,
  text,
  textList,
  textRecord,
} from '../schema/fields.ts';
import { documentation, key, keys } from '../schema/keys.ts';

/** Selects the resource with that name or, without a name, those that have one of the values for each label. */
export interface Selector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

export const selector: Field<Selector> = z.pipe(
  section({ name: text, labels: record(textList) }),
  z.transform(({ name, labels }, context): Selector => {
    const labelled = Object.keys(labels).length > 0;
    if (name === undefined && !labelled) refuse(context, "one of ['name', 'labels'] must be set");
    if (name !== undefined && labelled) refuse(context, "at most one of ['name', 'labels'] can be set");
    for (const [label, values] of Object.entries(labels)) {
      if (values.length === 0) refuse(context, `labels[${label}]: must have at least one value`, ['labels', label]);
    }
    return { name, labels };
  }),
);

export const SELECTOR_KEYS = keys({
  selector: key('selector', selector, documentation('The workload identity, by `name` or by `labels`.'), {
    write: ({ labels, name }) => (name === undefined ? { labels } : { name }),
  }),
});

/** Like `Selector`, but a label has one value. */
export interface KubernetesSelector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly defaultNamespace: string | undefined;
}

const kubernetesSelector: Field<KubernetesSelector> = z.pipe(
  section({ name: text, labels: textRecord, default_namespace: text }),
  z.transform(({ name, labels, default_namespace: defaultNamespace }, context): KubernetesSelector => {
    const labelled = Object.keys(labels).length > 0;
    if (name === undefined && !labelled) refuse(context, "selectors: one of 'name' and 'labels' must be specified");
    if (name !== undefined && labelled) refuse(context, "selectors: only one of 'name' and 'labels' may be specified");
    const refusal = refuseWildcard(name ?? '', 'write the full name, or labels instead');
    if (refusal !== undefined) refuse(context, refusal, ['name']);
    return { name, labels, defaultNamespace };
  }),
);

/** At least one. */
export const kubernetesSelectors: Field<readonly KubernetesSelector[]> = z.pipe(
  list(kubernetesSelector),
  z.transform((selectors: readonly KubernetesSelector[], context: Context) =>
    selectors.length > 0 ? selectors : refuse(context, 'at least one selector must be provided'),
  ),
);

/** As `tbot.yaml` spells it. */
export function writeKubernetesSelector({ defaultNamespace, labels, name }: KubernetesSelector): object {
  return {
    ...(name === undefined ? { labels } : { name }),
    ...(defaultNamespace === undefined ? {} : { default_namespace: defaultNamespace }),
  };
}

interface AnySelector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string | readonly string[]>>;
}

/** The name, or `key=value` for each label. */
export function selectorText({ labels, name }: AnySelector): string {
  const pairs = Object.entries(labels).map(([label, values]) => `${label}=${String(values)}`);
  return name ?? pairs.join(', ');
}
