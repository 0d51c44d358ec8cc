// What caches leave behind in this process: handles, timers (those that do not keep it alive as well), listeners, objects.
import { createHook } from 'node:async_hooks'
import { EventEmitter } from 'node:events'

/** Sockets close, and clients of others end their timers, some time after they are told to. */
const SETTLES_WITHIN_MS = 3_000
/** The library's own timers end with shutdown(). */
const OWN_TURNS = 3
/** A collection takes milliseconds; what is only reachable from a finalizer goes with the next one. */
const COLLECTIONS = 3

/** Watches what is made from now on. `clients` are those of the caller's, whose listeners are counted. */
export async function watchProcess(clients) {
  const timers = watchTimers()
  const caches = []
  const left = []
  const samples = []
  const counts = () => ({ ...resources(), ...timers.count(), ...listeners(clients) })
  await collect()
  const before = counts()

  return {
    cache: (cache) => caches.push(new WeakRef(cache)),
    /** Waits until as much is there as in the beginning, and notes what is more. */
    async settled(when) {
      for (let turn = 0; turn < OWN_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
      const own = differences(before, counts()).filter((difference) => difference.startsWith('timer of ours'))
      for (const difference of own) left.push(`${when}: ${difference}`)
      const endMs = performance.now() + SETTLES_WITHIN_MS
      while (differences(before, counts()).length > 0 && performance.now() < endMs) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      for (const difference of differences(before, counts())) left.push(`${when}: ${difference}`)
    },
    async sample(round) {
      await collect()
      samples.push([round, process.memoryUsage().heapUsed])
    },
    report: () => ({ left, samples, alive: caches.filter((ref) => ref.deref() !== undefined).length }),
  }
}

async function collect() {
  for (let time = 0; time < COLLECTIONS; time++) {
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc()
  }
}

function differences(before, now) {
  const names = new Set([...Object.keys(before), ...Object.keys(now)])
  return [...names]
    .filter((name) => (now[name] ?? 0) !== (before[name] ?? 0))
    .map((name) => `${name} was ${before[name] ?? 0}, is ${now[name] ?? 0}`)
}

/** What keeps the process alive. Timers are counted otherwise. */
function resources() {
  const counts = {}
  for (const type of process.getActiveResourcesInfo()) {
    if (type !== 'Timeout' && type !== 'Immediate') counts[type] = (counts[type] ?? 0) + 1
  }
  return counts
}

/** Counts timers, also those that do not keep the process alive, by where they were made. */
function watchTimers() {
  const made = new Map()
  createHook({
    init(id, type) {
      if (type === 'Timeout') made.set(id, placeOf(new Error('made')))
    },
    destroy(id) {
      made.delete(id)
    },
  }).enable()
  return {
    count() {
      const counts = {}
      for (const place of made.values()) counts[place] = (counts[place] ?? 0) + 1
      return counts
    },
  }
}

/** A name for a timer: the first lines of the stack that are not of Node itself. */
function placeOf({ stack }) {
  const frames = stack.split('\n').slice(2)
  const ofOthers = frames.filter((frame) => !/node:|left-behind/.test(frame))
  const [maker, ...callers] = (ofOthers.length > 0 ? ofOthers : frames).map((frame) => frame.trim())
  const owner = /(?<!node_modules.*)\/dist\//.test(maker) ? 'ours' : 'another'
  return `timer of ${owner} ${[maker, ...callers.slice(0, 6)].join(' ')}`
}

function listeners(clients) {
  const counts = {}
  const emitters = [
    ['process', process],
    ...clients.flatMap((client, index) => emittersOf(client, `client ${index}`)),
  ]
  for (const [name, emitter] of emitters) {
    for (const event of emitter.eventNames()) {
      counts[`listeners of ${name} to ${String(event)}`] = emitter.listenerCount(event)
    }
  }
  return counts
}

/** A client and, of a cluster, those of its nodes. */
function emittersOf(client, name) {
  const nodes = typeof client.nodes === 'function' ? client.nodes('all') : (client.masters ?? [])
  const inner = nodes.map((node) => node.client ?? node).filter((node) => node instanceof EventEmitter)
  return [[name, client], ...inner.map((node, index) => [`${name}, node ${index}`, node])]
}
