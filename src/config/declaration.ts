/** What is declared of a flag, once: the variable and the orb parameter that give the same value, and what it means. */

export interface Declaration {
  /** Without the dashes; undefined for what only a variable or a parameter of the orb gives. */
  readonly flag?: string;
  readonly short?: string;
  /** Other names of the same flag. */
  readonly aliases?: readonly string[];
  /** Placeholder for the value in the help; a flag without it is a switch. */
  readonly value?: string;
  readonly repeatable?: boolean;
  /** The value is a path that the command uses unchanged; the configuration checks its own paths. */
  readonly isPath?: boolean;
  /** The environment variable that gives the same value. */
  readonly env?: string;
  readonly orb?: OrbParameter;
  /** For `--help`, the orb and the documents alike, so that it names neither flags nor parameters. */
  readonly help: string;
  /** The default, as the help shows it. */
  readonly preset?: string;
  /** What this program does with it: nothing, or nothing but hand it to tbot. */
  readonly effect?: 'none' | 'tbot';
}

export interface OrbParameter {
  readonly name: string;
  /** `$NAME`, `${NAME}` and a leading `~/` are replaced in a string alone, which is the default. A list is an enum. */
  readonly type?: 'boolean' | 'integer' | 'env_var_name' | readonly string[];
  /**
   * The value that needs no flag; the empty string, or false, unless it is given. A boolean that is true by default gives
   * its flag when it is false.
   */
  readonly default?: string | number | boolean;
  /** The description, where it is not the help. */
  readonly description?: string | undefined;
  /** What follows the help in the description. */
  readonly more?: string | undefined;
  /** Steps that take it, of a command with several; all of them unless it is given. */
  readonly steps?: readonly string[];
  /** The boolean parameter without which the flag is not given. */
  readonly onlyWith?: string;
  /** What is added to the value. */
  readonly suffix?: string;
  /** Another entry declares the parameter; this one makes another flag of its value. */
  readonly declaredElsewhere?: boolean;
  /** False for a parameter of `join` that the job `run` does not have. */
  readonly ofJob?: boolean;
}

export type Declarations = Readonly<Record<string, Declaration>>;
