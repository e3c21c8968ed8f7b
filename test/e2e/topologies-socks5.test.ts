/** The matrix of topologies for jobs behind a SOCKS proxy without a login. */
import { throughDante } from './network-ways.ts';
import { testScenes } from './scenes.ts';

testScenes('socks5', ['danted'], throughDante);
