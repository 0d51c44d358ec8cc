/** Whether a value may be served: what a collection's schema says of it. */
export type Accepts = (value: unknown) => boolean | Promise<boolean>

/** Whether a value is accepted, as far as that can be told without waiting. */
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
