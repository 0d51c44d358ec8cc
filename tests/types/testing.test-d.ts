import { CacheError, type CreateCacheOptions, createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import {
  type Clock,
  Faults,
  injectFaults,
  ManualClock,
  SimulatedRedis,
  type Timers,
} from 'cachewright/testing'

declare function equal<A, B>(
  same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void

interface User {
  readonly name: string
}

const clock = new ManualClock()
const asParts: Clock & Timers = clock
const passed = clock.advance('5m')
equal<typeof passed, Promise<void>>(true)
// @ts-expect-error a span has a unit, or is a number of seconds
clock.advance('five minutes')

// A clock need not be able to wake anybody.
const options: CreateCacheOptions = { clock: { monotonicMs: () => 0 } }
createCache(options)
createCache({ clock: asParts })

const redis = new SimulatedRedis({ clock, commandTimeout: '250ms' })
const user = redis.backend<User>({ prefix: 'shop:' }).get('user:1')
equal<typeof user, Promise<User | undefined>>(true)
redis.faults.slow('200ms', { commands: 'reads' })
redis.faults.fail({ commands: 'writes', times: 2, error: new CacheError('CACHE_REPLY', 'full') })
redis.faults.loseReplies({ times: 1 })
// @ts-expect-error what stands still does so for all
redis.faults.hang({ commands: 'reads' })
// @ts-expect-error a fault strikes reads, writes or all
redis.faults.fail({ commands: 'get' })

const backend = injectFaults(new RedisCacheBackend<User>(), new Faults())
equal<typeof backend, RedisCacheBackend<User>>(true)
