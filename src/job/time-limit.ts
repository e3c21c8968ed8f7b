/** The time limit of jobs. */

/**
 * What a job may take at most: five hours on CircleCI's largest plan, and on a self-hosted runner with its own settings; one
 * and three hours on the smaller plans. Nothing in a job tells which plan it runs on.
 */
export const JOB_LIMIT_MS = 5 * 60 * 60 * 1000;
