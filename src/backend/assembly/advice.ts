import { type Logger, SILENT_LOGGER } from '../../contract/logger.ts'
import { printable } from '../../foundation/errors/printable.ts'

/** Topics that each logger has been told about. */
const told = new WeakMap<Logger, Set<string>>()
const MOST_TOPICS = 100

/**
 * Tells the developer of something that is allowed and probably not meant: once for each topic and logger. Without a
 * logger it becomes a warning of the process, which Node prints (`process.emitWarning`).
 */
export function advise(logger: Logger, topic: string, message: string): void {
  const topics = told.get(logger) ?? new Set()
  if (topics.has(topic) || topics.size >= MOST_TOPICS) return
  told.set(logger, topics.add(topic))
  const text = printable(message)
  if (logger === SILENT_LOGGER) {
    process.emitWarning(text, 'CachewrightWarning')
    return
  }
  try {
    logger.warn({}, text)
  } catch {
    // A logger that fails must not fail the cache.
  }
}
