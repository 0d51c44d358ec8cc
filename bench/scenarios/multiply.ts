import type { RedisReply } from '../../testbed/redis-command.ts'
import type { Standalone } from '../../testbed/redis-standalone.ts'
import { keyOf } from './payloads.ts'

const AT_ONCE = 10_000
const TTL_MS = 3_600_000

/**
 * Copies what one entry has left in Redis, for the ids from ARGV[2] to ARGV[3]: ARGV[1] is its key, which stands in
 * names, values and members; then come the type, the name and the member of each thing.
 */
const COPY = `
local mark = ARGV[1]
for thing = 5, #ARGV, 3 do
  local type, name, member = ARGV[thing], ARGV[thing + 1], ARGV[thing + 2]
  local value = type == 'string' and redis.call('GET', name)
  for id = ARGV[2], ARGV[3] do
    local key = string.format('object:%d', id)
    local function of(text) return (string.gsub(text, mark, key)) end
    if value then redis.call('SET', of(name), of(value), 'PX', ARGV[4]) else redis.call('SADD', of(name), of(member)) end
  end
end`

const FOREIGN = `
for id = ARGV[1], ARGV[2] do redis.call('SET', string.format('foreign:%d', id), 'foreign', 'PX', ARGV[3]) end`

/**
 * Makes `count` entries of the only one that Redis holds, which is that of {@link keyOf} 0: a contender's own bytes, at
 * a speed that allows for a million.
 */
export async function multiply(redis: Standalone, count: number): Promise<void> {
  const mark = keyOf(0)
  const things: string[] = []
  for (const name of await listOf(redis, 'KEYS', '*')) {
    if ((await redis.ask('TYPE', name)) === 'set') {
      for (const member of await listOf(redis, 'SMEMBERS', name)) {
        if (`${name} ${member}`.includes(mark)) things.push('set', name, member)
      }
    } else if (name.includes(mark)) things.push('string', name, '')
  }
  for (let from = 1; from < count; from += AT_ONCE) {
    const to = Math.min(from + AT_ONCE, count) - 1
    await redis.ask('EVAL', COPY, 0, mark, from, to, TTL_MS, ...things)
  }
}

/** Keys of somebody else, which a removal has to leave alone. */
export async function addForeign(redis: Standalone, count: number): Promise<void> {
  for (let from = 0; from < count; from += AT_ONCE) {
    await redis.ask('EVAL', FOREIGN, 0, from, Math.min(from + AT_ONCE, count) - 1, TTL_MS)
  }
}

async function listOf(redis: Standalone, ...command: readonly string[]): Promise<readonly string[]> {
  return ((await redis.ask(...command)) as RedisReply[]).map(String)
}
