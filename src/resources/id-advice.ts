/** Tells an id of CircleCI from what people write in its place. */

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const WHERE = {
  organization: 'app.circleci.com, Organization Settings > Overview',
  project: 'app.circleci.com, Project Settings > Overview',
  context: "app.circleci.com, Organization Settings > Contexts: the last part of the context's address",
} as const;

/** What to write instead; undefined for what looks like an id. */
export function idAdvice(what: keyof typeof WHERE, value: string): string | undefined {
  if (UUID.test(value)) return undefined;
  const form = UUID.test(value.trim().toLowerCase())
    ? 'must be in lower case and without spaces, as CircleCI writes it'
    : `is no id of CircleCI, which is a UUID: not a name and not "gh/owner/repository" (${WHERE[what]})`;
  return `${what}_id ${JSON.stringify(value)} ${form}; Teleport compares it letter by letter`;
}
