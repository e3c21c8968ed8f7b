/** Which address of IAM Roles Anywhere to ask. */
import { MachineIdError } from '../errors.ts';
import { parseHttpsUrl } from '../teleport/https-url.ts';
import { domainOf, parseArn } from './arn.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface Endpoint {
  /** `https://host[:port][/path]`, without a slash at the end. */
  readonly endpoint: string;
  readonly region: string;
}

/**
 * A trust anchor is good for its own region alone. The variables are those of AWS's own programs ("Service-specific
 * endpoints" in the reference of its SDKs), the first one that is set.
 * @throws MachineIdError AWS_UNREACHABLE when a variable holds no https:// address
 */
export function endpointOf(
  { region, trustAnchorArn }: { readonly region: string | undefined; readonly trustAnchorArn: string },
  environment: Environment,
): Endpoint {
  const arn = parseArn(trustAnchorArn);
  const chosen = region ?? arn?.region ?? '';
  const usual = `https://rolesanywhere.${chosen}.${domainOf(arn?.partition ?? 'aws')}`;
  return { endpoint: configured(environment) ?? usual, region: chosen };
}

function configured(environment: Environment): string | undefined {
  if (environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === 'true') return undefined;
  for (const name of ['AWS_ENDPOINT_URL_ROLESANYWHERE', 'AWS_ENDPOINT_URL'] as const) {
    const text = environment[name] ?? '';
    if (text !== '') return readEndpoint(name, text);
  }
  return undefined;
}

/** The text is not quoted, as an address may hold a password. */
function readEndpoint(name: string, text: string): string {
  const url = parseHttpsUrl(text);
  if (!(url?.username === '' && url.password === '')) {
    throw new MachineIdError('AWS_UNREACHABLE', `${name} holds no address of the form https://host`, {
      hint: `Correct ${name}, or unset it for AWS's own address; AWS_ENDPOINT_URL_ROLESANYWHERE comes before AWS_ENDPOINT_URL.`,
    });
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
