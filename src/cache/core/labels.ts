import { hostname } from 'node:os'
import { BY_BYTES, causeBytes, PROCESS_BYTES } from '../../codec/envelope/generation-value.ts'
import { refusedOption } from '../../foundation/option-checks.ts'

const CONTROL = /\p{Cc}/u

/**
 * The name of this process: the given one, or host name and process id, shortened to 32 bytes.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function processNameOf(given: string | undefined): string {
  if (given !== undefined) return checkedLabel('processName', given, PROCESS_BYTES)
  const suffix = `:${process.pid}`
  return (
    hostname()
      .replace(/[^\x21-\x7e]/g, '?')
      .slice(0, PROCESS_BYTES - suffix.length) + suffix
  )
}

/**
 * What is remembered of an invalidation, as a `Renewal` takes it; `undefined` if its caller has not said what it is for.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function causeOf(by: string | undefined, processName: string): Buffer | undefined {
  if (by === undefined) return undefined
  return causeBytes({ process: processName, by: checkedLabel('by', by, BY_BYTES) })
}

function checkedLabel(name: string, label: unknown, mostBytes: number): string {
  const isLabel = typeof label === 'string' && label !== '' && !CONTROL.test(label)
  if (isLabel && Buffer.byteLength(label) <= mostBytes) return label
  throw refusedOption(name, `a text of 1 to ${mostBytes} bytes without control characters`, label)
}
