import { asyncCacheDedupe } from './contenders/async-cache-dedupe.ts'
import { bareLru } from './contenders/bare-lru.ts'
import { clientSideCache, tunedByHand } from './contenders/by-hand.ts'
import { cachifiedLibrary } from './contenders/cachified.ts'
import { layeredLoader } from './contenders/layered-loader.ts'
import {
  backend,
  backendMsgpack,
  backendOnBus,
  cache,
  cacheMsgpack,
  cacheUntracked,
} from './contenders/ours.ts'
import { rawSocket } from './contenders/raw-socket.ts'
import type { Target } from './report/verdicts.ts'
import { EVERY_BY_CACHE, EVERY_BY_CALL, EVERY_BY_NAMESPACE, NO_POLICY } from './scenarios/policies.ts'

const ANY_PEER: { readonly bestPeerExcept: readonly string[] } = { bestPeerExcept: [] }

/** What the library has to reach, by the medians of one run. What is `isAside` is shown and decides nothing. */
export const TARGETS: readonly Target[] = [
  // What the process holds.
  ...atLeast('local-hit/await/1 KB', cache.name, [
    [bareLru.name, 0.75],
    [layeredLoader.name, 1.1],
    [{ bestPeerExcept: [layeredLoader.name, clientSideCache.name] }, 3],
    [clientSideCache.name, 20],
  ]),
  ...atLeast('local-hit/sync', cache.name, [[bareLru.name, 0.4]]),
  ...atLeast('policies/cache', EVERY_BY_CALL, [[NO_POLICY, 0.87]]),
  ...atLeast('policies/cache', EVERY_BY_CACHE, [[NO_POLICY, 0.87]]),
  ...atLeast('policies/namespace', EVERY_BY_NAMESPACE, [[NO_POLICY, 0.87]]),

  // What lies in Redis.
  ...atLeast('redis-hit/object/1 KB/128', backend.name, [
    [tunedByHand.name, 1.15],
    [rawSocket.name, 0.85],
    [ANY_PEER, 1.5],
  ]),
  ...atLeast('redis-hit/object/1 KB/1000', backend.name, [[tunedByHand.name, 1.25]]),
  ...aside('redis-hit/object/1 KB/128', cache.name, [[ANY_PEER, 1.5]]),
  ...atLeast('redis-hit/text/1 KB/128', backend.name, [[tunedByHand.name, 1.1]]),
  ...atLeast('redis-hit/text/1 KB/1000', backend.name, [[tunedByHand.name, 1.8]]),
  ...['100 B', '1 KB', '10 KB', '100 KB'].flatMap((size) =>
    atLeast(`redis-hit/object/${size}/1`, backend.name, [[tunedByHand.name, 0.95]]),
  ),
  ...atLeast('redis-hit/text/1 KB/1', backend.name, [[tunedByHand.name, 0.95]]),
  ...atLeast('redis-hit/object/1 KB/128', backendMsgpack.name, [
    [tunedByHand.name, 2.5],
    [ANY_PEER, 3.5],
  ]),
  ...atLeast('redis-hit/object/1 KB/1000', backendMsgpack.name, [[tunedByHand.name, 2.5]]),
  ...aside('redis-hit/object/1 KB/128', cacheMsgpack.name, [[ANY_PEER, 3.5]]),
  ...atLeast('getMany/100', backend.name, [[tunedByHand.name, 0.95]]),
  ...atLeast('getMany/100', backendMsgpack.name, [[tunedByHand.name, 1.5]]),

  // Writes and removal.
  ...atLeast('set/1 KB', backend.name, [
    [tunedByHand.name, 1],
    [ANY_PEER, 1.2],
  ]),
  ...aside('set/1 KB', cache.name, [[ANY_PEER, 1.2]]),
  ...atLeast('counters/128', backend.name, [[tunedByHand.name, 0.7]]),
  ...aside('counters/128', backendOnBus.name, [[tunedByHand.name, 0.7]]),
  ...atLeast('clear/100000', cache.name, [[ANY_PEER, 1]]),
  { section: 'clear/100000', contender: cache.name, figure: 'pingP99Ms', atMost: 3 },
  { section: 'clear/100000', contender: backend.name, figure: 'pingP99Ms', atMost: 3 },
  { section: 'clear/100000', contender: backend.name, figure: 'slowCommands', atMost: 0 },
  ...aside('clear/100000', backend.name, [[ANY_PEER, 1]]),

  // Tags: the commands of a read, give or take a heartbeat; and an invalidation that does not grow.
  { section: 'tag-reads/5', contender: cache.name, figure: 'commands', atMost: 1.01 },
  { section: 'tag-reads/5', contender: cacheUntracked.name, figure: 'commands', atMost: 1.01 },
  { series: 'tag-invalidation', contender: cache.name, exponent: 0, tolerance: 0.1 },

  // Several processes.
  ...atLeast('zipf/4', cache.name, [[{ bestPeerExcept: [asyncCacheDedupe.name, cachifiedLibrary.name] }, 2]]),
  { section: 'stampede/4', contender: cache.name, figure: 'loads', atMost: 1 },

  // Memory.
  ...atLeast('memory/process/1 KB', cache.name, [[bareLru.name, 0.77]]),
  { section: 'key-space/1000000', contender: 'clear()', figure: 'peakMib', atMost: 160 },
  { section: 'key-space/1000000', contender: "invalidatePattern('key:*')", figure: 'peakMib', atMost: 160 },
  { section: 'key-space/1000000', contender: 'deleteMany of 1,000,000', figure: 'peakMib', atMost: 160 },
  // The caller's own result takes 100 MiB.
  { section: 'key-space/1000000', contender: 'getMany of 1,000,000', figure: 'peakMib', atMost: 260 },
]

/** How much of a target has to be reached on a machine that is busy with other things. */
const REGRESSION_SHARE = 0.6

/** What a short run may not fall below: against hand-written code and bare maps alone. */
export const REGRESSION_TARGETS: readonly Target[] = TARGETS.flatMap((target): Target[] => {
  if (!('atLeast' in target) || target.isAside) return []
  const isOpponent = [tunedByHand.name, bareLru.name].includes(target.against as string)
  if (!isOpponent || target.figure !== undefined) return []
  return [{ ...target, atLeast: Number((target.atLeast * REGRESSION_SHARE).toFixed(2)) }]
})

type Bounds = readonly (readonly [against: string | typeof ANY_PEER, ratio: number])[]

function atLeast(section: string, contender: string, bounds: Bounds): readonly Target[] {
  return bounds.map(([against, ratio]) => ({ section, contender, against, atLeast: ratio }))
}

function aside(section: string, contender: string, bounds: Bounds): readonly Target[] {
  return atLeast(section, contender, bounds).map((target) => ({ ...target, isAside: true }))
}
