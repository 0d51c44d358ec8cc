/** A stream of decisions, one byte each. Where it ends, the schedule does; small bytes stand for simple choices. */
export class Choices {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** A number below `count`. */
  below(count: number): number {
    return (this.#bytes[this.#at++] ?? 0) % count
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }

  /** True one time in `times`, and never where the stream has ended. */
  rarely(times: number): boolean {
    return this.below(times) === times - 1
  }

  /** One of several things, in proportion to its weight, which is at least 1. */
  weighted<Item>(items: readonly (readonly [weight: number, item: Item])[]): Item {
    let left = this.below(items.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, item] of items) {
      left -= weight
      if (left < 0) return item
    }
    throw new Error('There is nothing to choose from')
  }
}
