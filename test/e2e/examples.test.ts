/** Runs every usage example of the orb as a job. */
import { exampleConfigs } from '../orb/examples.ts';
import { testJobs } from './example-jobs.ts';

testJobs(exampleConfigs);
