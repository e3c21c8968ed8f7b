/** What CircleCI gives to policies as `input`: a config, and what it compiles to. */
import { parse } from 'yaml';
import { resolveJob, type ResolvedJob } from '../job-runner/job.ts';
import { isMapping, list, mapping, type Mapping } from '../job-runner/mapping.ts';
import { packedWith } from '../orb/source.ts';

const ORB = packedWith('the script');

/** The orb's text may be another version's. */
export function policyInput(config: string, orb = ORB): Mapping {
  const document = mapping(parse(config), 'config');
  const workflows = Object.entries(mapping(document.workflows, 'workflows'))
    .filter((entry): entry is [string, Mapping] => isMapping(entry[1]))
    .map(([name, workflow]) => [name, list(workflow.jobs, name).map(callOf)] as const);
  const names = workflows.flatMap(([, calls]) => calls.map(({ name }) => name));
  const jobs = names.map(
    (job) => [job, compiledJob(resolveJob({ config, orbs: orbsOf(document, orb), job }))] as const,
  );
  return {
    ...document,
    compiled: {
      version: 2,
      jobs: Object.fromEntries(jobs),
      workflows: {
        version: 2,
        ...Object.fromEntries(workflows.map(([name, calls]) => [name, { jobs: calls.map(compiledCall) }])),
      },
    },
  };
}

/** Those that the config does not contain. */
function orbsOf(document: Mapping, orb: string): Record<string, string> {
  const named = Object.entries(mapping(document.orbs, 'orbs')).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(named.map(([name]) => [name, orb]));
}

interface Call {
  readonly name: string;
  readonly settings: Mapping;
}

function callOf(call: unknown): Call {
  if (typeof call === 'string') return { name: call, settings: {} };
  const [entry] = Object.entries(mapping(call, 'call'));
  const [job, value]: readonly [string, unknown] = entry ?? ['', {}];
  const settings = mapping(value, job);
  return { name: typeof settings.name === 'string' ? settings.name : job, settings };
}

/** A call without settings is only a name, parameters are gone, and the rest is kept. */
function compiledCall({ name, settings }: Call): unknown {
  const kept = Object.entries(settings).filter(([key]) => ['context', 'filters', 'requires'].includes(key));
  return kept.length === 0 ? name : { [name]: Object.fromEntries(kept) };
}

function compiledJob({ steps }: ResolvedJob): Mapping {
  return {
    docker: [{ image: 'cimg/base:stable' }],
    steps: steps.map((step) =>
      step.kind === 'run'
        ? { run: { name: step.name, environment: step.environment, command: step.command } }
        : step.kind,
    ),
  };
}
