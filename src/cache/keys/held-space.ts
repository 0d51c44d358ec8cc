import { keyGenerationKey } from '../../foundation/reserved-keys.ts'
import { KeySpace } from './key-space.ts'

/**
 * The names of a namespace whose values stay in this process (`store: 'local'`). Redis holds a generation for each of its
 * keys and nothing else. So that is what is stored for a key, and the value has its name in the local tier: a name that no
 * other key can have.
 */
export class HeldSpace extends KeySpace {
  override readonly isHeld: boolean = true
  readonly #isSpread: () => boolean
  readonly #rootLength: number

  /**
   * @param isSpread whether keys are spread over slots
   * @throws CacheError as {@link KeySpace.within}
   */
  constructor(around: KeySpace, name: string, isSpread: () => boolean) {
    super(around.prefixWithin(name), around)
    this.#isSpread = isSpread
    this.#rootLength = this.prefix.length - this.namePrefix.length
  }

  override storedKey(key: string): string {
    return keyGenerationKey(this.prefix + key, this.#isSpread())
  }

  override localName(key: string): string {
    return this.storedKey(key).slice(this.#rootLength)
  }
}
