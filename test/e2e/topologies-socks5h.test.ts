/** The matrix of topologies for jobs behind a SOCKS proxy with a login. */
import { throughMicrosocks } from './network-ways.ts';
import { testScenes } from './scenes.ts';

testScenes('socks5h', ['microsocks'], throughMicrosocks);
