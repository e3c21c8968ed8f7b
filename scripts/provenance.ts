/** Prints an SLSA provenance predicate, version 1, for `cosign attest-blob`: what a release was built from, and where. */
import { execFileSync } from 'node:child_process';
import { provenance } from './release/provenance.ts';

const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
console.log(JSON.stringify(provenance(process.env, commit), undefined, 2));
