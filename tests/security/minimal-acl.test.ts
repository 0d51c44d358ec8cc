import { readFileSync } from 'node:fs'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend } from 'cachewright/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'

/** The user that the documentation shows, so that what it says is what is tested. */
function documentedUser(): string {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const [rule] = /^user shop on .*$/m.exec(text) ?? []
  if (rule === undefined) throw new Error('docs/operations.md shows no user any more')
  return rule.replace('~shop:*', '~contract-*')
}

let redis: Standalone

beforeAll(async () => {
  redis = await startStandalone({
    aclFile: `user default on nopass ~* &* +@all\n${documentedUser()}\n`,
    username: 'shop',
    password: 'secret',
  })
})

afterAll(() => redis.stop())

describeCacheBackend({
  name: 'a user with no more rights than the documentation gives',
  describe,
  it,
  createBackend: (options) => new RedisCacheBackend({ ...options, url: redis.url }),
})
