/** Whether anonymous telemetry is asked for, and where it goes (protocol reference 8). */

type Environment = Readonly<Record<string, string | undefined>>;

/** What Go's `strconv.ParseBool` takes for true. */
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];

const ADDRESS = 'https://reporting-tbot.teleportinfra.sh';

export function telemetryIsOn(environment: Environment): boolean {
  return TRUE.includes(environment.TELEPORT_ANONYMOUS_TELEMETRY ?? '');
}

/** @returns undefined when the variable holds no address of the web */
export function telemetryUrl(environment: Environment): URL | undefined {
  const base = environment.TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS ?? '';
  const text = `${(base === '' ? ADDRESS : base).replace(/\/+$/, '')}/prehog.v1alpha.TbotReportingService/SubmitTbotEvent`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return ['http:', 'https:'].includes(url.protocol) ? url : undefined;
}
