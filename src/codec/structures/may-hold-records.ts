/** Whether something within the value may be written as a record. Errs on the side of yes, since it looks no further. */
export function mayHoldRecords(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(mayHoldRecordsWithin)
  return !ArrayBuffer.isView(value) && !(value instanceof Date)
}

function mayHoldRecordsWithin(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
