/** Names and what is known by them, which reads well at any width. */
import { type Filling, type Markup, markup } from './markup.ts';

export type Fact = readonly [name: string, value: Filling];

/** What is undefined has no row. */
export function factTable(facts: readonly Fact[]): Markup {
  const known = facts.filter(([, value]) => value !== undefined);
  return markup`<table>${known.map(([name, value]) => markup`<tr><th>${name}<td>${value}`)}</table>`;
}
