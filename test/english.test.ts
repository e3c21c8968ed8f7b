/**
 * Keeps old-fashioned phrases out of everything that people read: strings and comments of src, the orb, the documents, and
 * the names of tests. A quotation of another program's message is exempt if its line, or the line before, contains
 * `english: quotes <program>` in a comment.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import ts from 'typescript';

interface BannedPhrase {
  readonly pattern: RegExp;
  readonly instead: string;
}

const BANNED: readonly BannedPhrase[] = [
  { pattern: /\b(?:tell(?:s|ing)?|told|spoken) of\b/i, instead: 'reports, is reported' },
  { pattern: /\b(?:is|are) told\b/i, instead: 'is reported, gets' },
  {
    pattern: /\b(?:that|which|where) (?:is|are) none\b|(?<!\bif )\bthere (?:is|are) none\b/i,
    instead: 'is not a …, if there is no …, is invalid',
  },
  { pattern: /(?<!\bthere )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|matter\b)[a-z]/i, instead: 'is not a …' },
  { pattern: /\b(?:who|whom)ever\b/i, instead: 'anyone who, the user' },
  { pattern: /\b(?:some|no|any)body\b(?!\/)/i, instead: 'the user, someone, no one' },
  { pattern: /\bwhat stands\b|\bstands? (?!in for\b|for\b|out\b)/i, instead: 'is, appears' },
  { pattern: /\bas (?:it|they) stands?\b/i, instead: 'unchanged, as is' },
  {
    pattern:
      /\bof (?:its|their|his|her|one's) own(?=\W*$|[.,;:)'"`]| (?:and|or|that|which|in|for|to|beside|stands?)\b)/i,
    instead: 'its own …, separate',
  },
  { pattern: /\banew\b/i, instead: 'again' },
  { pattern: /\bin the midst\b/i, instead: 'during' },
  { pattern: /\bparted by\b/i, instead: 'separated by' },
  { pattern: /\bthe way to\b/i, instead: 'the connection to, how to' },
  { pattern: /\b(?:mend|mends|mended|cure|cures|cured)\b/i, instead: 'fix' },
  { pattern: /\blet be\b/i, instead: 'is kept' },
  { pattern: /\bwish(?:es|ed)?\b/i, instead: 'request, option' },
  { pattern: /\bfault(?:s|y)?\b/i, instead: 'problem, error, invalid' },
  { pattern: /\bportions?\b/i, instead: 'chunk' },
  { pattern: /\bin the place of\b/i, instead: 'instead of' },
  { pattern: /\bwithout a word\b/i, instead: 'silently' },
  { pattern: /\bpassed over\b/i, instead: 'skipped, ignored' },
  { pattern: /\blearn(?:t|ed) from\b/i, instead: 'comes from, is reported by' },
  { pattern: /\blikeliest\b/i, instead: 'most likely' },
  { pattern: /\b(?:goes|going|went|gone) on\b/i, instead: 'continues, resumes' },
];

const QUOTATION = /english: quotes \w/;

interface Line {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

test('old-fashioned phrases are found, and similar modern ones are not', () => {
  const findings = (text: string) => findingsIn({ path: 'x', line: 1, text }).length;
  for (const text of [
    'tells of them',
    'if that is none',
    'an id of its own',
    'what stands there',
    'on the way to it',
  ]) {
    assert.equal(findings(text), 1, text);
  }
  for (const text of ['there is no key', 'stands in for a node', 'its own key', 'is no longer read', 'default: true']) {
    assert.equal(findings(text), 0, text);
  }
});

test('strings and comments of the sources are plain English', () => {
  assertPlain(
    sourceFiles('src').filter((path) => !path.startsWith('src/grpc/gen')),
    stringsAndComments,
  );
});

test('the orb and the documents are plain English', () => {
  const documents = [...filesBelow('orb', /\.(?:yml|sh)$/), ...filesBelow('docs', /\.md$/), ...rootDocuments()];
  assertPlain(documents, (path, text) => linesOf(path, text.replaceAll(/`[^`\n]*`/g, '`…`')));
});

test('the names of tests are plain English', () => {
  assertPlain(filesBelow('test', /\.test\.ts$/), testNames);
});

function assertPlain(paths: readonly string[], read: (path: string, text: string) => readonly Line[]): void {
  assert.ok(paths.length > 10);
  const findings = paths.flatMap((path) => {
    const text = readFileSync(path, 'utf8');
    const source = text.split('\n');
    return read(path, text)
      .filter(({ line }) => !QUOTATION.test(`${source[line - 2] ?? ''}\n${source[line - 1] ?? ''}`))
      .flatMap(findingsIn);
  });
  assert.ok(findings.length === 0, `\n${findings.join('\n')}`);
}

function findingsIn({ line, path, text }: Line): readonly string[] {
  return BANNED.flatMap(({ instead, pattern }) => {
    const found = pattern.exec(text)?.[0];
    return found === undefined ? [] : [`${path}:${line}: "${found.trim()}"; write: ${instead}`];
  });
}

function linesOf(path: string, text: string, firstLine = 1): readonly Line[] {
  return text.split('\n').map((one, at) => ({ path, line: firstLine + at, text: one }));
}

function stringsAndComments(path: string, text: string): readonly Line[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const comments = new Map<number, string>();
  const found: Line[] = [];
  visit(file);
  return [...found, ...[...comments].flatMap(([start, comment]) => linesOf(path, comment, lineAt(file, start)))];

  function visit(node: ts.Node): void {
    for (const { end, pos } of ts.getLeadingCommentRanges(text, node.pos) ?? [])
      comments.set(pos, text.slice(pos, end));
    for (const { end, pos } of ts.getTrailingCommentRanges(text, node.end) ?? [])
      comments.set(pos, text.slice(pos, end));
    if (isText(node)) found.push(...linesOf(path, node.text, lineAt(file, node.getStart(file))));
    node.forEachChild(visit);
  }
}

type TextNode = ts.StringLiteralLike | ts.TemplateHead | ts.TemplateMiddle | ts.TemplateTail;

function isText(node: ts.Node): node is TextNode {
  const isPart = ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node);
  return isPart || (ts.isStringLiteralLike(node) && !ts.isImportDeclaration(node.parent));
}

const TEST_FUNCTIONS = ['test', 'describe', 'it', 'property'];

/** The first argument of `test(…)`, `describe(…)`, `t.test(…)` and the like. */
function testNames(path: string, text: string): readonly Line[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Line[] = [];
  visit(file);
  return found;

  function visit(node: ts.Node): void {
    if (ts.isCallExpression(node) && TEST_FUNCTIONS.includes(calledName(node.expression))) {
      const [name] = node.arguments;
      if (name !== undefined && (ts.isStringLiteralLike(name) || ts.isTemplateExpression(name))) {
        const words = name.getText(file).replaceAll(/\$\{[^}]*\}/g, '…');
        found.push({ path, line: lineAt(file, name.getStart(file)), text: words });
      }
    }
    node.forEachChild(visit);
  }
}

function calledName(expression: ts.Expression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : '';
}

function lineAt(file: ts.SourceFile, position: number): number {
  return file.getLineAndCharacterOfPosition(position).line + 1;
}

function sourceFiles(folder: string): readonly string[] {
  return filesBelow(folder, /\.ts$/);
}

function rootDocuments(): readonly string[] {
  return readdirSync('.').filter((name) => name.endsWith('.md'));
}

function filesBelow(folder: string, name: RegExp): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
