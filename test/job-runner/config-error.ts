/** A config that CircleCI would refuse to compile, or that asks for something this runner does not imitate. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(where: string, message: string) {
    super(`${where}: ${message}`);
  }
}
