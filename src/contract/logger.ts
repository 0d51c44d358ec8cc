/**
 * Where log lines go: the shape of pino, so a pino instance (or `console`-like object of these three methods)
 * can be passed as it is. Context objects hold no value, no password and no key longer than 100 characters.
 */
export interface Logger {
  debug(context: object, message: string): void
  warn(context: object, message: string): void
  error(context: object, message: string): void
}

/** Says nothing. The default. */
export const SILENT_LOGGER: Logger = Object.freeze({ debug() {}, warn() {}, error() {} })
