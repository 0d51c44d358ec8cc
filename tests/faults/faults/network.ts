import { type Single, startSingle } from '../deployments/single.ts'
import type { Mode } from '../traffic/setting.ts'
import { type Fault, faultsOf } from '../trial/fault.ts'

/**
 * `ioredis` ends the process if there is nothing in a reply that no command waits for: its parser throws where nobody can
 * catch it, also on connections of the program's own. Every reply that is made up may be one.
 */
const WITHOUT_IOREDIS: readonly Mode[] = ['tracking', 'ttl']

/** What networks do to connections. */
export const NETWORK: readonly Fault[] = faultsOf<Single>(startSingle, [
  {
    name: 'connections cut, again and again',
    seconds: [2, 10],
    strike: async ({ proxy }) => {
      const cutting = setInterval(() => proxy.cut(), 700)
      proxy.cut()
      return async () => clearInterval(cutting)
    },
  },
  {
    name: 'connections refused',
    seconds: [3, 600],
    strike: async ({ proxy }) => {
      await proxy.stop()
      return () => proxy.listen()
    },
  },
  {
    name: 'connections closed as soon as they are made',
    seconds: [3, 10],
    strike: async ({ proxy }) => {
      proxy.isRefusing = true
      proxy.cut()
      return async () => {
        proxy.isRefusing = false
      }
    },
  },
  {
    name: 'half-open: connections fall silent, new ones work',
    seconds: [4, 20],
    strike: async ({ proxy }) => {
      proxy.goSilent()
      proxy.healForNewConnections()
      return async () => {}
    },
  },
  {
    name: 'half-open: subscriptions fall silent, commands go on',
    seconds: [4, 20],
    strike: async ({ proxy }) => {
      proxy.silenceSubscriptions()
      return async () => {}
    },
  },
  {
    name: 'blackhole: connections fall silent, new ones too',
    seconds: [4, 60],
    isSilentToAttempts: true,
    strike: async ({ proxy }) => {
      proxy.goSilent()
      return async () => proxy.healForNewConnections()
    },
  },
  {
    name: 'delay of 100 ms',
    seconds: [3, 20],
    strike: async ({ proxy: { replyPace } }) => {
      replyPace.latencyMs = 100
      return async () => {
        replyPace.latencyMs = 0
      }
    },
  },
  {
    name: 'jitter up to 400 ms',
    seconds: [3, 20],
    strike: async ({ proxy: { replyPace } }) => {
      replyPace.jitterMs = 400
      return async () => {
        replyPace.jitterMs = 0
      }
    },
  },
  {
    name: 'bandwidth of 20 kB a second',
    seconds: [3, 20],
    strike: async ({ proxy: { replyPace, requestPace } }) => {
      replyPace.bytesPerSecond = 20_000
      requestPace.bytesPerSecond = 20_000
      return async () => {
        replyPace.bytesPerSecond = Number.POSITIVE_INFINITY
        requestPace.bytesPerSecond = Number.POSITIVE_INFINITY
      }
    },
  },
  {
    name: 'one reply in a hundred takes 700 ms',
    seconds: [4, 30],
    strike: async ({ proxy: { replyPace } }) => {
      Object.assign(replyPace, { stallShare: 0.01, stallMs: 700 })
      return async () => {
        replyPace.stallShare = 0
      }
    },
  },
  {
    name: 'connections cut after 2,000 bytes',
    seconds: [3, 10],
    strike: async ({ proxy }) => {
      proxy.cutAfterBytes = 2_000
      return async () => {
        proxy.cutAfterBytes = Number.POSITIVE_INFINITY
      }
    },
  },
  {
    name: 'replies in one chunk, every 200 ms',
    seconds: [3, 10],
    strike: async ({ proxy }) => {
      proxy.holdReplies()
      const releasing = setInterval(() => {
        proxy.release()
        proxy.holdReplies()
      }, 200)
      return async () => {
        clearInterval(releasing)
        proxy.release()
      }
    },
  },
  {
    name: 'a byte that is injected into replies',
    seconds: [3, 10],
    modes: WITHOUT_IOREDIS,
    strike: async ({ proxy }) => {
      proxy.garble = sometimes((reply) => {
        const at = Math.floor(Math.random() * reply.length)
        return Buffer.concat([reply.subarray(0, at), Buffer.from('7'), reply.subarray(at)])
      })
      return async () => straighten(proxy)
    },
  },
  {
    name: 'replies that are lost, the connection goes on',
    seconds: [3, 10],
    strike: async ({ proxy }) => {
      proxy.garble = sometimes(() => Buffer.alloc(0))
      return async () => straighten(proxy)
    },
  },
  {
    name: 'replies that come twice',
    seconds: [3, 10],
    modes: WITHOUT_IOREDIS,
    strike: async ({ proxy }) => {
      proxy.garble = sometimes((reply) => Buffer.concat([reply, reply]))
      return async () => straighten(proxy)
    },
  },
  {
    name: 'replies that are garbage',
    seconds: [3, 10],
    modes: WITHOUT_IOREDIS,
    strike: async ({ proxy }) => {
      proxy.garble = sometimes((reply) => Buffer.from(reply.map(() => Math.floor(Math.random() * 256))))
      return async () => straighten(proxy)
    },
  },
])

/** Garbles one chunk in fifty. */
function sometimes(garble: (reply: Buffer) => Buffer): (reply: Buffer) => Buffer {
  return (reply) => (Math.random() < 0.02 ? garble(reply) : reply)
}

/** Connections that were garbled are cut: what is on its way on them is anybody's guess. */
function straighten(proxy: Single['proxy']): void {
  proxy.garble = (reply) => reply
  proxy.cut()
}
