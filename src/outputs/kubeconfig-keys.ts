/** The keys of `tbot.yaml` that every output with a kubeconfig has. */
import * as z from 'zod/mini';
import { anyExpression, type Field, optionalFlag, refuse, text } from '../schema/fields.ts';
import { documentation, key, keys } from '../schema/keys.ts';
import { type ContextTemplate, DEFAULT_CONTEXT_TEMPLATE, parseContextTemplate, templateText } from './context-name.ts';

/**
 * Whether the kubeconfig names a program that prints the certificate instead of containing it. Only with
 * `disable_exec_plugin: false`, though that is tbot's default: in a single run there is nothing to renew.
 */
const execPlugin: Field<boolean> = z.pipe(
  optionalFlag,
  z.transform((disabled: boolean | undefined) => disabled === false),
);

const contextTemplate: Field<ContextTemplate> = z.pipe(
  anyExpression,
  z.transform((template: string | undefined, context): ContextTemplate => {
    if (template === undefined) return DEFAULT_CONTEXT_TEMPLATE;
    const known = '{{.ClusterName}}, {{.KubeName}}, {{.Labels.key}} and {{index .Labels "key"}}';
    return (
      parseContextTemplate(template) ??
      refuse(context, `cannot use ${JSON.stringify(template)} as a template; it can contain text, ${known}`)
    );
  }),
);

/** None is required. */
export const KUBECONFIG_KEYS = keys({
  execPlugin: key(
    'disable_exec_plugin',
    execPlugin,
    documentation('`false` makes kubeconfig call the script for the certificate.'),
    {
      write: (isUsed) => !isUsed,
    },
  ),
  contextNameTemplate: key(
    'context_name_template',
    contextTemplate,
    documentation('The names of contexts, by default `{{.ClusterName}}-{{.KubeName}}`.'),
    { write: writeTemplate },
  ),
  relayServer: key('relay_server', text, documentation('A relay server.'), { unsupported: true }),
});

function writeTemplate(template: ContextTemplate): string | undefined {
  const written = templateText(template);
  return written === templateText(DEFAULT_CONTEXT_TEMPLATE) ? undefined : written;
}
