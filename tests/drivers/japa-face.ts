import { afterAll, afterEach, assert, beforeAll, onTestFinished, test } from 'vitest'

type Release = () => unknown

/** What a test of the japa runner is called with. */
interface JapaContext {
  readonly assert: typeof assert
  readonly cleanup: (release: Release) => void
}

/**
 * The part of the japa runner that a suite asks for which is handed its `test` and its `group`. Tests and hooks become
 * those of vitest, in the `describe` around the call.
 */
export const japa = {
  test(title: string, run: (context: JapaContext) => unknown): void {
    test(title, () =>
      run({ assert, cleanup: (release) => onTestFinished(async () => void (await release())) }),
    )
  },
  group: {
    /** What the hook returns ends what it has begun. */
    setup(begin: () => Promise<Release>): void {
      let end: Release
      beforeAll(async () => {
        end = await begin()
      })
      afterAll(async () => void (await end()))
    },
    each: { teardown: (run: Release) => afterEach(async () => void (await run())) },
    /** It would change settings of the runner, such as timeouts. */
    tap(): void {},
  },
}
