/** The matrix of topologies for jobs behind an HTTP proxy with a login. */
import { throughSquid } from './network-ways.ts';
import { testScenes } from './scenes.ts';

testScenes('http', ['squid', 'openssl'], throughSquid);
