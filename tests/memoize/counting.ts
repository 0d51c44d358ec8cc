/** A function that counts its calls. */
export function counting() {
  const calls: number[] = []
  async function double(number: number): Promise<number> {
    calls.push(number)
    return 2 * number
  }
  return { calls, double }
}
