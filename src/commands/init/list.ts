/** The list of `--from-list`: one project for each row of a CSV file, or for each item of a YAML list. */
import * as z from 'zod/mini';
import { Findings } from '../../config/findings.ts';
import { originIn, SourceFile } from '../../config/source.ts';
import type { MachineIdError, Problem } from '../../errors.ts';
import { type Context, type Field, optionalFlag, refuse, section } from '../../schema/fields.ts';
import { readYamlDocuments } from '../../schema/yaml/document.ts';
import { isList, Scalar, type YamlValue } from '../../schema/yaml/tree.ts';
import { readCsv } from './csv.ts';
import type { FieldName } from './fields.ts';
import type { Answer, Answers } from './setup.ts';

export interface ListedProject {
  readonly name: string;
  /** For messages: `list.csv line 3`. */
  readonly place: string;
  readonly answers: Answers;
}

/** Columns of the list, each with the field that it sets. */
export const COLUMNS = {
  name: 'bot',
  project_id: 'projectId',
  contexts: 'contextId',
  context_name: 'contextName',
  branches: 'branches',
  tags: 'tags',
  repository: 'vcsOrigin',
  audience: 'audience',
  roles: 'roles',
  kubernetes_cluster: 'kubernetesCluster',
  database: 'database',
  database_user: 'databaseUser',
  database_name: 'databaseName',
  application: 'application',
  destination: 'destination',
} as const satisfies Readonly<Record<string, FieldName>>;

/** One text, or a list of texts, joined with commas. */
const texts: Field<string | undefined> = z.transform((input: unknown, context: Context) => {
  if (input === undefined) return undefined;
  const values: readonly unknown[] = isList(input) ? input : [input];
  const parts = values.map((value) => (value instanceof Scalar ? value.text : undefined));
  if (parts.some((part) => part === undefined)) return refuse(context, 'must be text, or a list of texts');
  return parts.join(',') || undefined;
});

const Project = section(
  { ...Object.fromEntries(Object.keys(COLUMNS).map((column) => [column, texts])), ssh: optionalFlag },
  'is not a column of the list',
);

/**
 * @param base answers for all projects, from the flags
 * @throws MachineIdError CONFIG_INVALID with every problem of the list
 */
export function readList(text: string, name: string, base: Answers): readonly ListedProject[] {
  const findings = new Findings();
  const files = /\.csv$/i.test(name) ? csvFiles(text, name, findings) : yamlFiles(text, name, findings);
  const projects = files.flatMap((file) => {
    const { value } = file.decode(Project, 'refuse');
    return value === undefined ? [] : [projectOf(file, new Map(Object.entries(value)), base)];
  });
  refuseDuplicates(projects, name, findings);
  if (!findings.hasProblems && projects.length === 0) {
    findings.addProblem(originIn(name, 'document', undefined), 'the list has no projects');
  }
  if (findings.hasProblems) throw findings.toError();
  return projects;
}

function yamlFiles(text: string, name: string, findings: Findings): readonly SourceFile[] {
  return readYamlDocuments(text).flatMap((document) => {
    if (!('problems' in document)) return [new SourceFile(document, name, findings)];
    for (const { line, message, path } of document.problems) findings.addProblem(originIn(name, path, line), message);
    return [];
  });
}

function csvFiles(text: string, name: string, findings: Findings): readonly SourceFile[] {
  const rows = readCsv(text);
  if ('message' in rows) {
    findings.addProblem(originIn(name, 'document', rows.line), rows.message);
    return [];
  }
  return rows.map(({ cells, line }) => {
    const root = new Map<string, YamlValue>([...cells].map(([column, cell]) => [column, cellValue(column, cell)]));
    return new SourceFile({ root, lineOf: () => line }, name, findings);
  });
}

/** In a cell, spaces and semicolons separate names too. */
function cellValue(column: string, cell: string): Scalar {
  if (column === 'ssh') return new Scalar(cell, { plain: true });
  const severalNames = ['contexts', 'branches', 'tags', 'roles'].includes(column);
  return new Scalar(severalNames ? cell.split(/[\s,;]+/).join(',') : cell, { plain: false });
}

function projectOf(file: SourceFile, values: ReadonlyMap<string, unknown>, base: Answers): ListedProject {
  const fields = new Map<FieldName, Answer>(base.fields);
  for (const [column, field] of Object.entries(COLUMNS)) {
    const text = values.get(column);
    const { label } = file.origin(column);
    if (typeof text === 'string') fields.set(field, { text, origin: `${label}: ${column}` });
  }
  const name = fields.get('bot');
  if (name !== undefined) fields.set('token', name);
  if (base.allowsForks) fields.delete('vcsOrigin');
  const place = file.origin('name').label;
  return { name: name?.text ?? '', place, answers: { ...base, fields, ssh: base.ssh || values.get('ssh') === true } };
}

function refuseDuplicates(projects: readonly ListedProject[], file: string, findings: Findings): void {
  const seen = new Set<string>();
  for (const { name, place } of projects) {
    if (name !== '' && seen.has(name)) {
      const line = Number(/ line (\d+)$/.exec(place)?.[1]);
      findings.addProblem(originIn(file, 'name', line), `"${name}" is the name of another project of the list`);
    }
    seen.add(name);
  }
}

/** Problems with the answers of one project, with the columns of the list instead of flags. */
export function problemsOf({ problems }: MachineIdError, { place }: ListedProject): readonly Problem[] {
  return problems.map((problem) => {
    const column = Object.entries(COLUMNS).find(([, field]) => `--${FLAG_NAMES[field] ?? ''}` === problem.path)?.[0];
    return column === undefined ? problem : { ...problem, path: `${place}: ${column}` };
  });
}

/** Flags of required columns, which a problem names if the column is empty. */
const FLAG_NAMES: Partial<Readonly<Record<FieldName, string>>> = {
  bot: 'bot',
  projectId: 'project-id',
  contextId: 'context-id',
  vcsOrigin: 'vcs-origin',
  roles: 'roles',
};
