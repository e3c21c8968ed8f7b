/** The output type `application`: a certificate with which a program can call one application. */
import type { AppSessionParams, AuthApi } from '../auth/auth-api.ts';
import { MachineIdError } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import { resourceName } from '../schema/common.ts';
import { flag } from '../schema/fields.ts';
import { documentation, joined, key, keys, type ValuesOf } from '../schema/keys.ts';
import type { ServerVersion } from '../teleport/ping.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, onlyWith, TLS_FILES } from './file-list.ts';
import { findResource, type Named, ownNamePredicate, settingPlace } from './find-resource.ts';
import { authorityFiles, type BaseFilesInput, identityAndKeyFiles, specificTlsFiles } from './identity-files.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { fileFailure, readIdentity } from './read-back.ts';
import { finishOutput, outputLocation, type OutputWork, requestIdentity, withLookupSession } from './work.ts';

/** Its optional keys. */
export const APPLICATION_OPTIONS = keys({
  specificTlsNaming: key('specific_tls_naming', flag, documentation('Also writes `tls.crt`, `tls.key` and `tls.cas`.')),
});

const applicationKeys = joined(
  keys({
    appName: key(
      'app_name',
      resourceName('app_name must not be empty'),
      documentation('Name of the application in Teleport.'),
    ),
  }),
  APPLICATION_OPTIONS,
);

type ApplicationOutput = OutputOf<'application', ValuesOf<typeof applicationKeys>>;

export const application = outputType('application', {
  help: documentation('A certificate for one application, for programs that call it.'),
  keys: applicationKeys,
  resource: ({ appName }) => appName,
  use: ({ appName }) => ({ kind: 'application', appName }),
  routedKey: 'suite',
  produce,
  files: [
    ...IDENTITY_FILES,
    ...onlyWith<ApplicationOutput>('with `specific_tls_naming: true`', (output) => output.specificTlsNaming, TLS_FILES),
    ...AUTHORITY_FILES,
  ],
  readBack: ({ appName }, files) => {
    const { credentials, route } = readIdentity(files);
    if (route?.kind !== 'application' || route.name !== appName) {
      throw fileFailure('tlscert', `is not for the application ${appName}`);
    }
    return { ...credentials, access: { kind: 'application', name: route.name, address: route.publicAddress } };
  },
});

interface Application extends Named {
  readonly publicAddress: string;
  /** Where its agent reaches it; the scheme says what it speaks. */
  readonly uri: string;
}

/**
 * The first server that ignores sessions of its clients: it creates one when it issues the certificate. Version 16 does
 * so too if none is given; version 15 does not.
 */
const FIRST_MAJOR_THAT_MAKES_SESSIONS = 17;

async function produce(output: ApplicationOutput, work: OutputWork): Promise<WrittenOutput> {
  const { run, session, joined } = work;
  const { appName, destination, path, specificTlsNaming } = output;
  const { clusterName, userName } = joined.bot;
  const { name, publicAddress, sessionId } = await withLookupSession(output, work, async ({ api }) => {
    const application = await findApplication(api, appName, settingPlace(path, 'app_name'));
    const target = { userName, publicAddress: application.publicAddress, clusterName };
    return { ...application, sessionId: await sessionFor(api, target, await session.serverVersion) };
  });
  const route = { kind: 'application', name, publicAddress, clusterName, sessionId } as const;
  const issued = await requestIdentity(output, work, { keyPair: await work.keys.routed, route });
  run.journal.outputDone('certificates', `certificates for ${path}: application ${name} at ${publicAddress}`);
  const location = outputLocation(destination, run);
  const input = { identity: issued.identity, authorities: await session.authorities };
  const files = applicationFiles(input, { specificTlsNaming });
  return finishOutput(output, work, {
    issued,
    location,
    files,
    access: { kind: 'application', name, address: publicAddress },
  });
}

/**
 * The id of a new session, empty if the server creates it. The roles of `api` must allow the application.
 * There is no need to wait until the Proxy knows the session: only later steps of the job use it.
 */
export async function sessionFor(
  api: Pick<AuthApi, 'createAppSession'>,
  target: AppSessionParams,
  { major }: Pick<ServerVersion, 'major'>,
): Promise<string> {
  if (major >= FIRST_MAJOR_THAT_MAKES_SESSIONS) return '';
  const id = await api.createAppSession(target);
  if (id !== '') return id;
  throw new MachineIdError(
    'RESPONSE_INVALID',
    'the Auth Service created a session with the application, but returned no id',
    {
      hint: 'Check the log of the Auth Service at this time.',
    },
  );
}

/** By its own name: like tbot, ignores the name under which Teleport discovered an application. */
export async function findApplication(
  api: Pick<AuthApi, 'listResources'>,
  name: string,
  location: string,
): Promise<Application> {
  const servers = await api.listResources({ resourceType: 'app_server', predicate: ownNamePredicate(name) });
  const found = servers.flatMap(({ resource }) => {
    const app = resource.case === 'appServer' ? resource.value.spec?.app : undefined;
    if (app?.metadata === undefined) return [];
    return [
      {
        name: app.metadata.name,
        labels: app.metadata.labels,
        publicAddress: app.spec?.publicAddr ?? '',
        uri: app.spec?.uri ?? '',
      },
    ];
  });
  const hint =
    'Compare the name with "tctl get app_server", and app_labels of the roles with the labels of the application.';
  return findResource(found, { name, kind: 'application', location, hint });
}

/** In the order in which tbot writes them. */
export function applicationFiles(
  input: BaseFilesInput,
  { specificTlsNaming }: { readonly specificTlsNaming: boolean },
): readonly OutputFile[] {
  return [
    ...identityAndKeyFiles(input),
    ...(specificTlsNaming ? specificTlsFiles(input) : []),
    ...authorityFiles(input.authorities),
  ];
}
