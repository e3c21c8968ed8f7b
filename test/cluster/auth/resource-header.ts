/** The fields with which every resource of Teleport begins. */
import type { Labels } from '../data/labels.ts';

/** Teleport writes the one namespace that there is into all of them (`Metadata.CheckAndSetDefaults` of api/types/resource.go). */
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
