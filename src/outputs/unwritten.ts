/** The types of `tbot.yaml` that a run does not write. Their keys are declared, so that mistyped ones are reported. */
import * as z from 'zod/mini';
import { type Common, item } from '../schema/common.ts';
import {
  anyExpression,
  type Context,
  type Field,
  flag,
  ignored,
  list,
  readBy,
  refuse,
  requiredPath,
  text,
  textList,
  textRecord,
} from '../schema/fields.ts';
import { type Keys, keys } from '../schema/keys.ts';
import { kubernetesSelectors, selector } from './selectors.ts';
import { svidRequest } from './spiffe-svid.ts';

/** A service or an output of which only the keys are checked. */
export interface Unwritten<T extends string> extends Common {
  readonly type: T;
}

const listen = requiredPath('listen: should not be empty');

/** Services, which listen for as long as tbot runs. A run leaves them out with a warning. */
const SERVICES = {
  'spiffe-workload-api': keys({ listen, svids: list(svidRequest), attestors: ignored, jwt_svid_ttl: ignored }),
  'workload-identity-api': keys({ listen, selector, attestors: ignored }),
  example: keys({ message: anyExpression }),
};

export type ServiceType = keyof typeof SERVICES;
export type ServiceSettings = Unwritten<ServiceType>;

/** The lifetime of SVIDs has no limit. */
const OF_SVIDS: readonly ServiceType[] = ['spiffe-workload-api', 'workload-identity-api'];

/** By type. */
export const SERVICE_FIELDS: Readonly<Record<string, Field<ServiceSettings>>> = Object.fromEntries(
  Object.keys(SERVICES)
    .filter(isServiceType)
    .map((type) => [
      type,
      unwritten<ServiceType, object>(type, SERVICES[type], { limitTtl: !OF_SVIDS.includes(type) }),
    ]),
);

export function isServiceType(type: string): type is ServiceType {
  return Object.hasOwn(SERVICES, type);
}

/** An output type that writes Kubernetes secrets, one for each cluster, and so has no destination. A run rejects it. */
export type ArgoCdSettings = Unwritten<'kubernetes/argo-cd'>;

const ARGO_CD_KEYS = keys({
  selectors: kubernetesSelectors,
  secret_namespace: text,
  secret_name_prefix: text,
  secret_labels: textRecord,
  secret_annotations: textRecord,
  project: text,
  namespaces: textList,
  cluster_resources: flag,
  cluster_name_template: anyExpression,
});

export const argoCdField: Field<ArgoCdSettings> = unwritten('kubernetes/argo-cd', ARGO_CD_KEYS, {
  takesRoles: false,
  check: ({ cluster_resources: hasClusterResources, namespaces }, context) => {
    if (!hasClusterResources || namespaces.length > 0) return;
    refuse(context, 'cluster_resources is only applicable if namespaces is also set', ['cluster_resources']);
  },
});

interface Options<V> {
  readonly takesRoles?: boolean;
  readonly limitTtl?: boolean;
  readonly check?: (values: V & Common, context: Context) => void;
}

function unwritten<T extends string, V extends object>(
  type: T,
  own: Keys<V>,
  options: Options<V>,
): Field<Unwritten<T>> {
  const field = item(type, own, options);
  return z.transform((input, context): Unwritten<T> => {
    const { name, roles, lifetime } = readBy(field, input, context);
    return { type, name, roles, lifetime };
  });
}
