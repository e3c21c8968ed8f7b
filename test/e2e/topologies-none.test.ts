/** The matrix of topologies for jobs whose network has a proxy that is not for the cluster. */
import { WITHOUT_PROXY } from './network-ways.ts';
import { testScenes } from './scenes.ts';

testScenes('none', [], () => Promise.resolve(WITHOUT_PROXY));
