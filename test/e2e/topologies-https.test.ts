/** The matrix of topologies for jobs behind an HTTP proxy with TLS and a login. */
import { throughTlsSquid } from './network-ways.ts';
import { testScenes } from './scenes.ts';

testScenes('https', ['squid', 'openssl'], throughTlsSquid);
