// Run by tests/lifecycle/fleet.ts: a worker of node:cluster or a worker thread, with a cache of its own. It does what it
// is told, and must end by itself after its cache was shut down. Nothing here calls process.exit().
import cluster from 'node:cluster'
import { parentPort, workerData } from 'node:worker_threads'

const port = parentPort ?? process
const tell = (what) => (parentPort === null ? process.send(what) : parentPort.postMessage(what))
const { library, options } = workerData ?? JSON.parse(process.env.FLEET)
const { createCache } = await import(`${library}/index.js`)
const cache = createCache(options)

const DEEDS = {
  set: ({ key, value }) => cache.set(key, value),
  delete: ({ key }) => cache.delete(key),
  peek: ({ key }) => cache.peek(key),
  get: ({ key, value }) => cache.getOrSet(key, () => value),
  /** A load that never ends. */
  hold: ({ key }) =>
    cache.getOrSet(key, () => {
      tell({ isLoading: true })
      return new Promise(() => {})
    }),
  async shutdown() {
    await cache.shutdown()
    if (parentPort === null) cluster.worker.disconnect()
    else parentPort.unref()
  },
}

async function obey({ deed, id, ...what }) {
  const value = await DEEDS[deed](what)
  if (deed !== 'shutdown') tell({ id, value })
}

port.on('message', (message) => void obey(message))
await cache.initialize()
tell({ isReady: true })
