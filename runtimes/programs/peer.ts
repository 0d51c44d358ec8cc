// The other process of `coherence.ts`: reads a key, deletes another, and ends by itself.
// Arguments: the settings, the way to the server, the key to read, the key to delete.
import { openCache, type Way } from './settings.ts'

const [way, read, removed] = process.argv.slice(3) as [Way, string, string]
const { cache, close } = openCache(way)
await cache.initialize()
let loads = 0
const reading = cache.getOrSet(read, () => `loaded by the peer, ${++loads}`)
console.log('reading')
const value = await reading
await cache.delete(removed)
await close()
console.log(JSON.stringify({ value, loads }))
