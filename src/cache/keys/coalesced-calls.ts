/** Questions under way by key: those who ask meanwhile share the answer, until it may have become an older one. */
export class CoalescedCalls<Answer> {
  readonly #underWay = new Map<string, Promise<Answer>>()

  ask(key: string, question: () => Promise<Answer>): Promise<Answer> {
    const underWay = this.#underWay.get(key)
    if (underWay !== undefined) return underWay
    const asking = question().finally(() => {
      if (this.#underWay.get(key) === asking) this.#underWay.delete(key)
    })
    this.#underWay.set(key, asking)
    return asking
  }

  /** Who asks from now on must not share an older answer. */
  askAnew(key: string): void {
    this.#underWay.delete(key)
  }

  askAllAnew(): void {
    this.#underWay.clear()
  }
}
