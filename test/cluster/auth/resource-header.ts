/** The fields that every resource of Teleport begins with. */
import type { Labels } from '../data/labels.ts';

/** Teleport writes the only namespace into every resource (`Metadata.CheckAndSetDefaults` of api/types/resource.go). */
const NAMESPACE = 'default';

export interface ResourceHeader {
  readonly kind: string;
  readonly sub_kind?: string;
  readonly version: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Labels };
}

/** @param kind with the kind below it, if it has one, as `web_session/app` */
export function resourceHeader(kind: string, version: string, name: string, labels?: Labels): ResourceHeader {
  const [top = '', below] = kind.split('/');
  return {
    kind: top,
    ...(below === undefined ? {} : { sub_kind: below }),
    version,
    metadata: { name, namespace: NAMESPACE, ...(labels === undefined ? {} : { labels }) },
  };
}
