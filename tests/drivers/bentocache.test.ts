// Runs the suite that bentocache publishes for its drivers (`bentocache/test_suite`). It asks for `test` and `group` of
// the japa runner, and gets those of vitest. Below it, a BentoCache of two layers uses the driver.
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { registerCacheDriverTestSuite } from 'bentocache/test_suite'
import { expect, test } from 'vitest'
import { BentocacheDriver } from './bentocache-driver.ts'
import { describeOnEachBackend } from './each-backend.ts'
import { japa } from './japa-face.ts'

describeOnEachBackend<string>(
  { prefix: 'bentocache-suite:', serializer: 'text', ttl: Number.POSITIVE_INFINITY },
  ({ backend, open }) => {
    registerCacheDriverTestSuite({
      ...(japa as never as Pick<Parameters<typeof registerCacheDriverTestSuite>[0], 'test' | 'group'>),
      supportsMilliseconds: true,
      createDriver: (options) => new BentocacheDriver(open(), { prefix: 'japa', ...options }),
    })

    test('a BentoCache finds in the second layer what another one has loaded', async () => {
      const create = () =>
        new BentoCache({
          default: 'both',
          stores: {
            both: bentostore()
              .useL1Layer(memoryDriver())
              .useL2Layer({ options: {}, factory: (config) => new BentocacheDriver(backend(), config) }),
          },
        })
      const [first, second] = [create(), create()]
      let loads = 0
      const factory = () => ({ count: ++loads, text: 'é' })
      expect(await first.getOrSet({ key: 'user:1', factory, ttl: '1m' })).toEqual({ count: 1, text: 'é' })
      expect(await second.getOrSet({ key: 'user:1', factory, ttl: '1m' })).toEqual({ count: 1, text: 'é' })
      await second.delete({ key: 'user:1' })
      expect(await second.getOrSet({ key: 'user:1', factory, ttl: '1m' })).toEqual({ count: 2, text: 'é' })
    })
  },
)
