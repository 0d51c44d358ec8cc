import { type Single, startSingle } from '../deployments/single.ts'
import { KEYS, keyOf, MODES, prefixOf } from '../traffic/setting.ts'
import { type Fault, faultsOf } from '../trial/fault.ts'

const EVERY_MS = 60

/** Changes what is stored under a key, in one step: what was removed meanwhile does not come back. */
const REPLACE = `
  local stored = redis.call('TYPE', KEYS[1]).ok
  if stored ~= 'string' then return 0 end
  local bytes = redis.call('GET', KEYS[1])
  local at = math.floor(tonumber(ARGV[2]) * #bytes) + 1
  if ARGV[1] == 'flip' then
    local flipped = string.char(bit.bxor(string.byte(bytes, at), tonumber(ARGV[3])))
    bytes = string.sub(bytes, 1, at - 1) .. flipped .. string.sub(bytes, at + 1)
  elseif ARGV[1] == 'cut' then
    bytes = string.sub(bytes, 1, at - 1)
  elseif ARGV[1] == 'foreign' then
    bytes = 'a:2:{s:3:"key";s:7:"foreign";s:7:"version";i:1000000;}'
  else
    redis.call('DEL', KEYS[1])
    return redis.call('SADD', KEYS[1], 'member')
  end
  redis.call('SET', KEYS[1], bytes, 'KEEPTTL')
  return 1
`

/** What happens to stored values. */
export const DATA: readonly Fault[] = faultsOf<Single>(startSingle, [
  { name: 'values with a flipped bit', seconds: [3, 10], strike: (single) => spoil(single, 'flip') },
  { name: 'values that are cut off', seconds: [3, 10], strike: (single) => spoil(single, 'cut') },
  { name: 'values of another program', seconds: [3, 10], strike: (single) => spoil(single, 'foreign') },
  { name: 'keys of another type (WRONGTYPE)', seconds: [3, 10], strike: (single) => spoil(single, 'set') },
  {
    name: 'generations of tags and namespaces evicted',
    seconds: [3, 10],
    strike: ({ server }) =>
      again(() => {
        const tags = storedKeys((prefix, key) => `${prefix}\0tag:tag:${key}`)
        const namespaces = MODES.map((mode) => `${prefixOf(mode)}\0namespace`)
        return server.ask('UNLINK', anyOf(tags), anyOf(tags), anyOf([...tags, ...namespaces]))
      }),
  },
])

function spoil({ server }: Single, how: 'flip' | 'cut' | 'foreign' | 'set') {
  const keys = storedKeys((prefix, key) => `${prefix}${key}`)
  return again(() =>
    server.ask('EVAL', REPLACE, 1, anyOf(keys), how, Math.random(), 2 ** Math.floor(Math.random() * 8)),
  )
}

async function again(act: () => Promise<unknown>) {
  const acting = setInterval(() => act().catch(() => {}), EVERY_MS)
  return async () => clearInterval(acting)
}

const storedKeys = (name: (prefix: string, key: string) => string): string[] =>
  MODES.flatMap((mode) => Array.from({ length: KEYS }, (_, number) => name(prefixOf(mode), keyOf(number))))

const anyOf = (keys: readonly string[]): string => keys[Math.floor(Math.random() * keys.length)] as string
