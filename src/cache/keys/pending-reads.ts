/**
 * Reads of keys that are under way, by which it is known whether their answers still hold (L2, L3).
 *
 * A question leaves an object that stands for it; whatever touches the key removes that, and the answer holds only if
 * it finds that very object. While an own write of the key is under way, nothing that is asked will hold.
 */
export class PendingReads<Question extends object> {
  readonly #questions = new Map<string, Question>()
  /** Own writes under way, by key. */
  readonly #writing = new Map<string, number>()

  begin(storedKey: string, question: Question): Question {
    if (!this.#writing.has(storedKey)) this.#questions.set(storedKey, question)
    return question
  }

  /** The last question about the key, where it still holds. */
  underWay(storedKey: string): Question | undefined {
    return this.#questions.get(storedKey)
  }

  /** Whether nothing has happened to the key since it was asked for. */
  holds(storedKey: string, question: Question): boolean {
    return this.#questions.get(storedKey) === question
  }

  /** It has been answered, or nothing comes of it; `false` where the answer does not hold. */
  end(storedKey: string, question: Question): boolean {
    return this.holds(storedKey, question) && this.#questions.delete(storedKey)
  }

  /** Something may have happened to the key. */
  touched(storedKey: string): void {
    this.#questions.delete(storedKey)
  }

  touchedWhere(matches: (storedKey: string) => boolean): void {
    for (const storedKey of this.#questions.keys()) if (matches(storedKey)) this.#questions.delete(storedKey)
  }

  touchedAll(): void {
    this.#questions.clear()
  }

  writeBegan(storedKey: string): void {
    this.#writing.set(storedKey, (this.#writing.get(storedKey) ?? 0) + 1)
    this.touched(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.touched(storedKey)
    const left = (this.#writing.get(storedKey) ?? 1) - 1
    if (left === 0) this.#writing.delete(storedKey)
    else this.#writing.set(storedKey, left)
  }
}
