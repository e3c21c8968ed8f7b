/** A network without an HTTP or SOCKS proxy, for tests of what runs over its connections. */
import { openNetwork } from '../src/net/network.ts';

export const network = openNetwork({ environment: {} });
