import { asyncCacheDedupe } from './async-cache-dedupe.ts'
import { bareLru } from './bare-lru.ts'
import { bentocache, bentocacheUnserialized } from './bentocache.ts'
import { byHandAsItComes, clientSideCache, tunedByHand } from './by-hand.ts'
import { cacheManager } from './cache-manager.ts'
import { cacheable } from './cacheable.ts'
import { cachifiedLibrary } from './cachified.ts'
import type { Contender } from './contender.ts'
import { ioredisByHand } from './ioredis.ts'
import { layeredLoader } from './layered-loader.ts'
import { backend, backendMsgpack, cache, cacheMsgpack } from './ours.ts'
import { rawSocket } from './raw-socket.ts'

/** Everybody, in the order of the tables. */
export const CONTENDERS: readonly Contender[] = [
  tunedByHand,
  byHandAsItComes,
  ioredisByHand,
  backend,
  backendMsgpack,
  cache,
  cacheMsgpack,
  bentocache,
  bentocacheUnserialized,
  cacheable,
  cacheManager,
  asyncCacheDedupe,
  cachifiedLibrary,
  layeredLoader,
  clientSideCache,
  bareLru,
  rawSocket,
]

/** @throws Error where there is none of this name */
export function contenderNamed(name: string): Contender {
  const found = CONTENDERS.find((contender) => contender.name === name)
  if (found === undefined) throw new Error(`No contender is named ${name}`)
  return found
}
