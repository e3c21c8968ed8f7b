/** The private keys of a cluster's authorities, for servers and verifiers that replace parts of it. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';

const Key = z.string().optional();
const StoredAuthorities = z.array(z.object({ cluster: z.string(), type: z.string(), sshKey: Key, jwtKey: Key }));

export interface AuthorityKeyWish {
  /** The joined cluster by default, or its leaf. */
  readonly of?: string;
  readonly type: 'host' | 'user' | 'spiffe';
  readonly use: 'sshKey' | 'jwtKey';
}

export async function authorityKey(cluster: Cluster, { of, type, use }: AuthorityKeyWish): Promise<KeyObject> {
  const { info } = cluster;
  const text = await readFile(join(dirname(info.webCa), `authorities-${suiteOf(cluster)}.json`), 'utf8');
  const stored = StoredAuthorities.parse(JSON.parse(text));
  const found = stored.find((authority) => authority.cluster === (of ?? info.cluster) && authority.type === type);
  return createPrivateKey(found?.[use] ?? '');
}

/** Before v17, all keys of a cluster are RSA keys, including those of its nodes. */
export function suiteOf({ info }: Cluster): 'legacy' | 'balanced-v1' {
  return Number(info.teleport.split('.')[0]) >= 17 ? 'balanced-v1' : 'legacy';
}
