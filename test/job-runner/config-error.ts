/** A config that CircleCI would not compile, or that needs something this runner does not support. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(where: string, message: string) {
    super(`${where}: ${message}`);
  }
}
