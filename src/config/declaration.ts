/** The declaration of a setting: its flag, environment variable and orb parameter, and its meaning. */

export interface Declaration {
  /** Without the dashes; undefined if only a variable or an orb parameter sets it. */
  readonly flag?: string;
  readonly short?: string;
  /** Other names of the same flag. */
  readonly aliases?: readonly string[];
  /** Placeholder for the value in the help; a flag without it is a switch. */
  readonly value?: string;
  readonly repeatable?: boolean;
  /** The value is a path that the command uses unchanged; the configuration checks its own paths. */
  readonly isPath?: boolean;
  /** The environment variable for the same setting. */
  readonly env?: string;
  readonly orb?: OrbParameter;
  /** For `--help`, the orb and the documents, so it names neither flags nor parameters. */
  readonly help: string;
  /** The default, as shown in the help. */
  readonly preset?: string;
  /** The effect on this program: none, or only passed on to tbot. */
  readonly effect?: 'none' | 'tbot';
}

export interface OrbParameter {
  readonly name: string;
  /** `$NAME`, `${NAME}` and a leading `~/` are expanded only in a string, which is the default type. A list is an enum. */
  readonly type?: 'boolean' | 'integer' | 'env_var_name' | readonly string[];
  /**
   * The value for which no flag is passed; by default the empty string or false. A boolean that is true by default
   * passes its flag when it is false.
   */
  readonly default?: string | number | boolean;
  /** The description, if it differs from the help. */
  readonly description?: string | undefined;
  /** Added to the help in the description. */
  readonly more?: string | undefined;
  /** The steps that use it, for a command with several; by default all of them. */
  readonly steps?: readonly string[];
  /** A boolean parameter; if it is false, the flag is not passed. */
  readonly onlyWith?: string;
  /** Added to the value. */
  readonly suffix?: string;
  /** Another entry declares the parameter; this entry uses its value for another flag. */
  readonly declaredElsewhere?: boolean;
  /** Has no default. */
  readonly isRequired?: boolean;
  /** False for a parameter of `join` that the job `run` does not have. */
  readonly ofJob?: boolean;
}

export type Declarations = Readonly<Record<string, Declaration>>;
