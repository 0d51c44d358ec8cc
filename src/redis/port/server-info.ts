/** The value of a field in the reply to `INFO` or `CLUSTER INFO`; `undefined` if there is no such field. */
export function infoField(info: unknown, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(String(info))?.[1]
}
