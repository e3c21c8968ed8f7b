/** Reads the file of a join token or a bot, and says of it what Teleport would say when it is created. */
import { Findings } from '../config/findings.ts';
import { Scalar } from '../config/yaml/scalar.ts';
import { placeIn, SourceFile } from '../config/source-file.ts';
import { readYamlDocuments } from '../config/yaml/document.ts';
import { readBot } from './bot.ts';
import { readJoinToken } from './join-token.ts';
import type { Resource } from './resource.ts';

export interface ReadResources {
  readonly resources: readonly Resource[];
  /** Sentences for a person to read. */
  readonly warnings: readonly string[];
}

/**
 * @param text of one YAML or JSON file, with any number of documents
 * @param name of the file, for messages
 * @throws MachineIdError CONFIG_INVALID with every fault of every document
 */
export function readResources(text: string, name: string): ReadResources {
  const findings = new Findings();
  const resources: Resource[] = [];
  const documents = readYamlDocuments(text);
  for (const document of documents) {
    if ('faults' in document) {
      for (const { path, line, message } of document.faults) findings.refuse(placeIn(name, path, line), message);
      continue;
    }
    const resource = readResource(new SourceFile(document, name, findings));
    if (resource !== undefined) resources.push(resource);
  }
  if (documents.length === 0) findings.refuse(placeIn(name, 'document', undefined), 'the file is empty');
  if (findings.hasFaults) throw findings.toError();
  return { resources, warnings: findings.warnings };
}

function readResource(file: SourceFile): Resource | undefined {
  const kind = file.root.get('kind');
  const word = kind instanceof Scalar ? kind.text : '';
  // As tctl does, which takes several words for one kind.
  if (['token', 'tokens'].includes(word.toLowerCase())) return readJoinToken(file);
  if (['bot', 'bots'].includes(word.toLowerCase())) return readBot(file);
  if (['scoped_token', 'scoped_tokens'].includes(word.toLowerCase())) {
    file.findings.refuse(file.origin('kind'), `is "${word}"; scoped join tokens are not supported, expected token`);
    return undefined;
  }
  file.findings.refuse(
    file.origin('kind'),
    word === '' ? 'is missing; write "kind: token"' : `is "${word}"; expected token, or bot`,
  );
  return undefined;
}
