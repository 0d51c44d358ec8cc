/** Whether the value may contain a record. It does not look deeper than one level, and answers yes in doubt. */
export function mayHoldRecords(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(mayHoldRecordsWithin)
  return !ArrayBuffer.isView(value) && !(value instanceof Date)
}

function mayHoldRecordsWithin(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
