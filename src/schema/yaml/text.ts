/** YAML text of other programs' files. Imported when such a file is written or read, because most runs have none. */
export { parse, stringify } from 'yaml';
