// One process of the fleet: a cache of each mode, with traffic over it. It does what the trial tells it, and answers.
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'
import { CacheTraffic, type TrafficReport } from './cache-traffic.ts'
import { LoopStalls } from './loop-stalls.ts'
import { openCache } from './open-cache.ts'
import type { Mode, WorkerOrder } from './setting.ts'
import { openSource } from './source.ts'

/** What a process tells of itself. */
export interface WorkerReport {
  readonly place: number
  readonly traffic: readonly (TrafficReport & { readonly mode: Mode })[]
}

/** What a process holds. */
export interface Census {
  /** Bytes of the heap in use, without garbage. */
  readonly heapBytes: number
  /** What keeps its event loop alive, by kind: sockets, timers and such. */
  readonly handles: Readonly<Record<string, number>>
}

type Started = Awaited<ReturnType<typeof start>>
let started: Started | undefined

/** Names that resolve to what the trial says. */
const addresses = new Map<string, string>()

const METHODS: Readonly<Record<string, (argument: never) => unknown>> = {
  async start(order: WorkerOrder) {
    started = await start(order)
  },
  report: () => running().report(),
  /** Resolves when no call is under way, or after the bound; with the calls that are. */
  async stop(boundMs: number) {
    const { traffic } = running()
    for (const each of traffic.values()) each.stop()
    const unsettled = () => [...traffic.values()].reduce((sum, each) => sum + each.unsettled, 0)
    for (const endMs = performance.now() + boundMs; unsettled() > 0 && performance.now() < endMs; )
      await pause(20)
    return unsettled()
  },
  census(): Census {
    globalThis.gc?.()
    const handles: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
    return { heapBytes: process.memoryUsage().heapUsed, handles }
  },
  outdated: () => running().outdated(),
  resolve: ([name, address]: [string, string]) => void addresses.set(name, address),
  stall(ms: number) {
    for (const endMs = performance.now() + ms; performance.now() < endMs; );
  },
  setClock(byMs: number) {
    offMs = byMs
  },
  end: () => running().close(),
}

// The parent process has exited or disconnected.
process.on('disconnect', () => process.exit())
process.on('message', async ({ id, method, argument }: { id: number; method: string; argument: never }) => {
  try {
    process.send?.({ id, result: await METHODS[method]?.(argument) })
    if (method === 'end') endByItself()
  } catch (error) {
    process.send?.({ id, error: String((error as Error).stack ?? error) })
  }
})
resolveByTrial()

async function start({ modes, place, processes, slowness = 1, source: url, target, trial }: WorkerOrder) {
  const stalls = new LoopStalls()
  const source = await openSource(url, `${trial}:`)
  const opened = modes.map((mode) => [mode, openCache(mode, target)] as const)
  const traffic = new Map<Mode, CacheTraffic>()
  for (const [index, [mode, { cache }]] of opened.entries()) {
    // Each mode has its own keys of the source.
    const own = {
      read: (key: string) => source.read(`${index}:${key}`),
      commit: (key: string) => source.commit(`${index}:${key}`),
      close() {},
    }
    const isOwn = (number: number) => number % processes === place
    traffic.set(mode, new CacheTraffic(cache, own, stalls, isOwn, slowness))
  }
  for (const each of traffic.values()) each.start()
  return {
    traffic,
    report(): WorkerReport {
      return { place, traffic: [...traffic].map(([mode, each]) => ({ mode, ...each.report() })) }
    },
    async outdated(): Promise<Record<string, string[]>> {
      const found = await Promise.all(
        [...traffic].map(async ([mode, each]) => [mode, await each.outdated()] as const),
      )
      return Object.fromEntries(found)
    },
    async close() {
      await Promise.all(opened.map(([, cache]) => cache.close()))
      stalls.end()
      source.close()
    },
  }
}

/** Nothing may be left that keeps this process alive. */
function endByItself(): void {
  process.removeAllListeners('disconnect')
  process.disconnect()
}

function running(): Started {
  if (started === undefined) throw new Error('The traffic has not begun')
  return started
}

/** The system clock of this process, by which it is off: not the monotonic one. */
let offMs = 0
const systemNowMs = Date.now
Date.now = () => systemNowMs() + offMs

/** Sockets look up names by `dns.lookup`. */
function resolveByTrial(): void {
  const { lookup } = dns
  const resolved = (name: string, options: unknown, callback: (...results: unknown[]) => void): void => {
    const address = addresses.get(name)
    if (address === undefined) (lookup as (...all: unknown[]) => void)(name, options, callback)
    else if ((options as { all?: boolean }).all) callback(null, [{ address, family: 4 }])
    else callback(null, address, 4)
  }
  dns.lookup = resolved as typeof dns.lookup
  syncBuiltinESMExports()
}
