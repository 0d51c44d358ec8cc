import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { KnownGeneration } from './known-generation.ts'

/**
 * The generations that an entry was bound to. All entries of a process that are bound to the same ones share one such
 * object: what it finds out for one of them holds for all, and an entry takes no more room for its tags than without.
 */
export class GenerationSet {
  readonly bound: readonly BoundGeneration[]
  readonly #generations: readonly KnownGeneration[]
  #space: KeySpace | undefined
  #isOfSpace = false
  #tags: readonly string[] = []

  /** @param generations what this process knows of each, in the same order; none where that is of no account */
  constructor(bound: readonly BoundGeneration[], generations: readonly KnownGeneration[]) {
    this.bound = bound
    this.#generations = generations
  }

  /** Whether none of them has been renewed, as far as is known here. */
  get isValid(): boolean {
    const generations = this.#generations
    // By index: this is asked at every hit.
    for (let index = 0; index < generations.length; index++) {
      if (!(generations[index] as KnownGeneration).isLive) return false
    }
    return true
  }

  /** Whether nothing is known against any, though they may not be known to be the present ones. */
  get isUnrefuted(): boolean {
    return !this.#generations.some(({ isDead }) => isDead)
  }

  /** Those that are known to be the present ones. */
  get believed(): readonly BoundGeneration[] {
    return this.bound.filter((_one, index) => this.#generations[index]?.isLive)
  }

  /** Whether it stands on these very objects. */
  isOf(generations: readonly KnownGeneration[]): boolean {
    return generations.every((generation, index) => generation === this.#generations[index])
  }

  /** Whether a namespace and these tags of it are among them. */
  bearsAll(space: KeySpace, tags: readonly string[] | undefined): boolean {
    if (this.#space !== space) this.#inspectShared(space)
    if (!this.#isOfSpace) return false
    if (tags === undefined || tags.length === 0) return true
    for (const tag of tags) if (!this.#tags.includes(tag)) return false
    return true
  }

  /** Entries are asked for through one namespace as a rule, so what they mean there is worked out once. */
  #inspectShared(space: KeySpace): void {
    this.#space = space
    this.#isOfSpace = this.includes(space.generationKeys)
    this.#tags = this.tagsOf(space)
  }

  /** The tags of a namespace that are among them. */
  tagsOf(space: KeySpace): readonly string[] {
    const tagPrefix = space.tagKey('')
    return this.bound
      .filter(({ storedKey }) => storedKey.startsWith(tagPrefix))
      .map(({ storedKey }) => storedKey.slice(tagPrefix.length))
  }

  /** Whether the renewal of each of these generations would end it. */
  includes(generationKeys: readonly string[]): boolean {
    for (const generationKey of generationKeys) {
      if (!this.bound.some(({ storedKey }) => storedKey === generationKey)) return false
    }
    return true
  }
}

/** What depends on nothing: a plain value. */
export const NO_GENERATIONS: GenerationSet = new GenerationSet([], [])
