/** Decides whether a value may be served, by the schema of a collection. */
export type Accepts = (value: unknown) => boolean | Promise<boolean>

/** Whether a value is accepted; `false` if the answer is a promise. */
export function isAccepted(value: unknown, accepts: Accepts | undefined): boolean {
  if (accepts === undefined) return true
  try {
    const answer = accepts(value)
    if (answer instanceof Promise) answer.catch(() => {})
    return answer === true
  } catch {
    return false
  }
}
