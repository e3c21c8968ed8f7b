/** Prints the input that its argument names: bash opens `<(...)` for a program it starts, not for this test. */
import { systemFiles } from '../../src/effects/files.ts';

const { signal } = new AbortController();
process.stdout.write(await systemFiles.readInput(process.argv[2] ?? '', { maxBytes: 100, signal }));
