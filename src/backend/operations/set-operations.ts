import type { ExpiryOptions } from '../../contract/cache-backend.ts'
import { assertMember } from '../../foundation/cache-key.ts'
import { checkedMembers, EXPIRY_OPTIONS } from './operation-arguments.ts'
import type { OperationScope } from './operation-scope.ts'

/** The sets of a backend. */
export class SetOperations {
  readonly #scope: OperationScope

  constructor(scope: OperationScope) {
    this.#scope = scope
  }

  add(key: string, member: string, options: ExpiryOptions): Promise<boolean> {
    return this.#scope.policy.absorb('addToSet', key, false, async () => {
      assertMember(member)
      this.#scope.checkOptions(options, EXPIRY_OPTIONS)
      const storedKey = this.#scope.storedKey(key)
      return (await this.#scope.store.addMembers(storedKey, [member], this.#scope.expiry(options))) > 0
    })
  }

  addMany(key: string, members: Iterable<string>, options: ExpiryOptions): Promise<number> {
    return this.#scope.policy.absorb('addManyToSet', key, 0, async () => {
      const distinct = [...new Set(checkedMembers(members))]
      this.#scope.checkOptions(options, EXPIRY_OPTIONS)
      const storedKey = this.#scope.storedKey(key)
      const expiry = this.#scope.expiry(options)
      return distinct.length === 0 ? 0 : this.#scope.store.addMembers(storedKey, distinct, expiry)
    })
  }

  members(key: string): Promise<string[]> {
    return this.#scope.policy.absorb<string[]>('getSetMembers', key, [], async () =>
      this.#scope.store.members(this.#scope.storedKey(key)),
    )
  }

  remove(key: string, member: string): Promise<boolean> {
    return this.#scope.policy.absorb('removeFromSet', key, false, async () => {
      assertMember(member)
      return this.#scope.store.removeMember(this.#scope.storedKey(key), member)
    })
  }
}
