import assert from 'node:assert/strict'

/** What a compiler hands to a decorator of a method. */
export function contextOf<This, Args extends readonly unknown[], Result>(
  name: string,
): ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Result> {
  return {
    kind: 'method',
    name,
    static: false,
    private: false,
    metadata: {},
    addInitializer: () => {},
    access: { has: () => true, get: () => assert.fail('not needed') },
  }
}
