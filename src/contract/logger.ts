/**
 * Receives log lines. It has the methods of pino, so that a pino instance can be passed as it is. Context objects
 * contain no value, no password and no key longer than 100 characters, and neither they nor the messages contain
 * unprintable characters.
 */
export interface Logger {
  debug(context: object, message: string): void
  warn(context: object, message: string): void
  error(context: object, message: string): void
}

/** A logger that discards everything; the default. */
export const SILENT_LOGGER: Logger = Object.freeze({ debug() {}, warn() {}, error() {} })
