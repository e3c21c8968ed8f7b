/** The matrix of topologies for jobs whose network has no proxy, or one that is not for the cluster. */
import { testScenes } from './topologies.ts';

testScenes('every topology without a proxy, and with one that NO_PROXY excludes', () =>
  Promise.resolve(
    new Map([
      [
        'none',
        {
          // Unlike `localhost`, not below teleport.cluster.local for Kubernetes, and known to every resolver.
          names: { given: 'LOCALHOST', public: 'localhost', ipv6: '[::1]' },
          environment: {},
        },
      ],
      [
        'NO_PROXY',
        {
          names: { given: 'LOCALHOST', public: 'localhost', ipv6: '[::1]' },
          environment: { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'internal.example.com, localhost' },
        },
      ],
    ]),
  ),
);
