/**
 * `npm run release:upload -- --tag vX.Y.Z [--made-once FILE]... FILE...`: creates the GitHub release of a tag with these
 * files as its assets. Can be run again: it adds missing assets, and fails if a file differs from its asset, except for
 * files of `--made-once`, which contain a signature or a time. Reads the token from GITHUB_TOKEN.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readSourceTree } from './orb-pack/source-tree.ts';
import { sourceUrlOf } from './orb-pack/packed-release.ts';
import { type Asset, GitHubError, publishRelease } from './release/github-release.ts';

const PAUSES_MS = [2_000, 8_000, 30_000];

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { tag: { type: 'string', default: '' }, 'made-once': { type: 'string', multiple: true, default: [] } },
});

const { GITHUB_TOKEN: token = '', GITHUB_API_URL: api = 'https://api.github.com' } = process.env;
const problems = [
  ...(/^v\d+\.\d+\.\d+$/.test(values.tag) ? [] : [`--tag must be vX.Y.Z, got "${values.tag}"`]),
  ...(token === '' ? ['GITHUB_TOKEN is not set: it is in the context release-assets'] : []),
  ...(positionals.length === 0 ? ['no files were given'] : []),
];
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 2;
} else {
  try {
    await publish();
  } catch (error) {
    if (!(error instanceof GitHubError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

async function publish(): Promise<void> {
  const request = {
    api,
    token,
    repository: new URL(sourceUrlOf(await readSourceTree('orb'))).pathname.slice(1),
    tag: values.tag,
    notes: `${notesOf(await readFile('CHANGELOG.md', 'utf8'), values.tag.slice(1))}\n\n${signer()}`,
    assets: [...(await assets(positionals, true)), ...(await assets(values['made-once'], false))],
    say: (line: string) => {
      console.log(line);
    },
  };
  for (const pauseMs of PAUSES_MS) {
    try {
      await publishRelease(request);
      return;
    } catch (error) {
      if (!(error instanceof GitHubError && error.isPassing)) throw error;
      console.error(`${error.message}; trying again in ${pauseMs / 1000} s`);
      await pause(pauseMs);
    }
  }
  await publishRelease(request);
}

function assets(paths: readonly string[], isReproducible: boolean): Promise<readonly Asset[]> {
  return Promise.all(
    paths.map(async (path) => ({ name: basename(path), bytes: await readFile(path), isReproducible })),
  );
}

/** The ids that an attestation is verified with. */
function signer(): string {
  const { CIRCLE_ORGANIZATION_ID: organization = 'unknown', CIRCLE_PROJECT_ID: project = 'unknown' } = process.env;
  return `Signed in CircleCI's project \`${project}\` of the organization \`${organization}\`.`;
}

/** The section of the changelog for this version. */
function notesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${version} `)) ?? '';
  return section.split('\n').slice(1).join('\n').trim();
}
