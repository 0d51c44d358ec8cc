import cluster from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { CreateCacheOptions } from 'cachewright'
import { onTestFinished } from 'vitest'

const LIBRARY = new URL('../../dist', import.meta.url).href
const CHILD = fileURLToPath(new URL('../support/children/fleet-child.mjs', import.meta.url))

/** What a member may be told. */
interface Deed {
  readonly key?: string
  readonly value?: string
}

/** A thread or a process with a cache of its own. */
export interface Member {
  /** Has it do something with its cache. Resolves to what that answers. */
  tell(deed: 'set' | 'delete' | 'peek' | 'get' | 'hold', what: Deed): Promise<unknown>
  /** Resolves when the loader of `hold` runs. */
  readonly loading: Promise<void>
  /** Has it shut its cache down. Resolves when it has ended by itself, to its exit code. */
  shutdown(): Promise<unknown>
  /** Ends it at once, whatever it is doing. */
  kill(): Promise<void>
}

/** Starts a worker thread. */
export function startThread(options: CreateCacheOptions): Promise<Member> {
  const worker = new Worker(CHILD, { workerData: { library: LIBRARY, options } })
  onTestFinished(() => void worker.terminate())
  return memberOf({
    emitter: worker,
    send: (message) => worker.postMessage(message),
    kill: () => void worker.terminate(),
  })
}

/** Forks a worker of `node:cluster`. */
export function startProcess(options: CreateCacheOptions): Promise<Member> {
  cluster.setupPrimary({ exec: CHILD, execArgv: [] })
  const worker = cluster.fork({ FLEET: JSON.stringify({ library: LIBRARY, options }) })
  onTestFinished(() => void worker.process.kill('SIGKILL'))
  return memberOf({
    emitter: worker.process,
    send: (message) => worker.send(message),
    kill: () => worker.process.kill('SIGKILL'),
  })
}

interface Line {
  readonly emitter: NodeJS.EventEmitter
  readonly send: (message: object) => void
  readonly kill: () => void
}

/** Resolves when its cache is connected. */
async function memberOf({ emitter, kill, send }: Line): Promise<Member> {
  const answers = new Map<number, (value: unknown) => void>()
  let isReady: () => void
  let isLoading: () => void
  const ready = new Promise<void>((resolve) => {
    isReady = resolve
  })
  const loading = new Promise<void>((resolve) => {
    isLoading = resolve
  })
  emitter.on('message', (message: { id?: number; value?: unknown; isReady?: true; isLoading?: true }) => {
    if (message.isReady) isReady()
    if (message.isLoading) isLoading()
    if (message.id !== undefined) answers.get(message.id)?.(message.value)
  })
  const ended = once(emitter, 'exit').then(([code]) => code as unknown)
  let lastId = 0
  await ready
  return {
    loading,
    tell(deed, what) {
      const id = ++lastId
      const answered = new Promise((resolve) => answers.set(id, resolve))
      send({ deed, id, ...what })
      return answered
    },
    async shutdown() {
      send({ deed: 'shutdown' })
      return ended
    },
    async kill() {
      kill()
      await ended
    },
  }
}
