import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { type RedisProcess, startRedisProcess } from '../../../testbed/redis-process.ts'
import { waitUntil } from '../../../testbed/wait-until.ts'
import { type Single, startSingle, startWithDatabase } from '../deployments/single.ts'
import { type Fault, faultsOf } from '../trial/fault.ts'

const OF_ALL = faultsOf<Single>(startSingle, [
  {
    name: 'killed and restarted, empty',
    seconds: [2, 60],
    strike: async ({ server }) => {
      await server.kill()
      return () => server.restart()
    },
  },
  {
    name: 'not there at the start',
    seconds: [3, 10],
    before: ({ proxy }) => proxy.stop(),
    isAwayAtStart: true,
    strike:
      async ({ proxy }) =>
      () =>
        proxy.listen(),
  },
  {
    name: 'stopped (SIGSTOP), and continued',
    seconds: [4, 60],
    strike: async ({ server }) => {
      server.pause()
      return async () => server.resume()
    },
  },
  {
    name: 'connections killed (CLIENT KILL)',
    seconds: [3, 10],
    strike: async ({ server }) => {
      const killing = setInterval(() => server.ask('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {}), 600)
      return async () => clearInterval(killing)
    },
  },
  {
    name: 'subscriptions killed (CLIENT KILL TYPE pubsub)',
    seconds: [3, 10],
    strike: async ({ server }) => {
      const killing = setInterval(() => server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub').catch(() => {}), 600)
      return async () => clearInterval(killing)
    },
  },
  {
    name: 'paused (CLIENT PAUSE)',
    seconds: [3, 10],
    strike: async ({ server }, _fleet, lastsMs) => {
      await server.ask('CLIENT', 'PAUSE', lastsMs, 'ALL')
      // It pauses whoever would end the pause, too.
      return () => server.ask('PING')
    },
  },
  {
    name: 'loading its data (LOADING)',
    seconds: [3, 20],
    strike: async ({ server }) => {
      await server.ask(
        'CONFIG',
        'SET',
        'loading-process-events-interval-bytes',
        1_024,
        'key-load-delay',
        3_000,
      )
      server.ask('DEBUG', 'RELOAD').catch(() => {})
      return async () => {
        await server.ask('CONFIG', 'SET', 'key-load-delay', 0).catch(() => {})
        await waitUntil(async () => (await server.ask('PING')) === 'PONG', { what: 'the data to be loaded' })
      }
    },
  },
  {
    name: 'made a replica (READONLY), and a primary again',
    seconds: [3, 20],
    strike: async ({ server }) => {
      await server.ask('REPLICAOF', '127.0.0.1', 1)
      return () => server.ask('REPLICAOF', 'NO', 'ONE')
    },
  },
  {
    name: 'out of memory (OOM, noeviction)',
    seconds: [3, 20],
    strike: async ({ server }) => {
      await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', 1)
      return () => server.ask('CONFIG', 'SET', 'maxmemory', 0)
    },
  },
  {
    name: 'evicting at random (allkeys-random)',
    seconds: [3, 20],
    strike: async ({ server }) => {
      await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random')
      const evicting = setInterval(async () => {
        const used = /used_memory:(\d+)/.exec(String(await server.ask('INFO', 'memory')))?.[1]
        await server.ask('CONFIG', 'SET', 'maxmemory', Number(used) - 5_000)
        await server.ask('CONFIG', 'SET', 'maxmemory', 0)
      }, 200)
      return async () => clearInterval(evicting)
    },
  },
  {
    name: 'a password (NOAUTH)',
    seconds: [3, 10],
    strike: async ({ server }) => {
      await server.ask('CONFIG', 'SET', 'requirepass', 'secret')
      await withPassword(server, ['CLIENT', 'KILL', 'TYPE', 'normal'])
      return () => withPassword(server, ['CONFIG', 'SET', 'requirepass', ''])
    },
  },
  {
    name: 'no permission for anything (NOPERM)',
    seconds: [3, 10],
    strike: async ({ server }) => {
      const admin = await adminOf(server)
      await admin.sendCommand(['ACL', 'SETUSER', 'admin', 'on', 'nopass', '+@all'])
      await admin.sendCommand(['AUTH', 'admin', ''])
      await admin.sendCommand(['ACL', 'SETUSER', 'default', '-@all'])
      return async () => {
        await admin.sendCommand(['ACL', 'SETUSER', 'default', '+@all'])
        admin.destroy()
      }
    },
  },
  {
    name: 'too many connections (maxclients)',
    seconds: [3, 10],
    strike: async ({ server }) => {
      const admin = await adminOf(server)
      await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '1'])
      await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
      await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes'])
      return async () => {
        await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '1000'])
        admin.destroy()
      }
    },
  },
  {
    name: 'a script that does not end (BUSY), and is killed',
    seconds: [2, 10],
    strike: async ({ server }) => {
      await server.ask('CONFIG', 'SET', 'busy-reply-threshold', 100)
      const script = server.ask('EVAL', 'while true do end', 0).catch(() => {})
      await pause(200)
      return async () => {
        await server.ask('SCRIPT', 'KILL')
        await script
      }
    },
  },
  {
    name: 'scripts flushed (SCRIPT FLUSH)',
    seconds: [3, 10],
    strike: async ({ server }) => {
      const flushing = setInterval(() => server.ask('SCRIPT', 'FLUSH', 'SYNC'), 50)
      return async () => clearInterval(flushing)
    },
  },
  {
    name: 'flushed (FLUSHALL)',
    seconds: [3, 10],
    strike: async ({ server }) => {
      const flushing = setInterval(() => server.ask('FLUSHALL'), 400)
      return async () => clearInterval(flushing)
    },
  },
])

const OF_DATABASES = faultsOf<Single>(startWithDatabase, [
  {
    name: 'a database that is not there',
    seconds: [3, 10],
    strike: async ({ proxy, server }) => {
      const other = await startRedisProcess({ args: ['--databases', '1'] })
      proxy.leadTo(other.port)
      proxy.cut()
      return async () => {
        proxy.leadTo(server.port)
        proxy.cut()
        await other.stop()
      }
    },
  },
])

/** What happens to a server, and what it refuses. */
export const SERVER: readonly Fault[] = [...OF_ALL, ...OF_DATABASES]

/** A connection that is there before the server refuses others. */
async function adminOf({ socketPath }: RedisProcess) {
  const admin = createClient({ socket: { path: socketPath, tls: false } })
  admin.on('error', () => {})
  return admin.connect()
}

async function withPassword(server: RedisProcess, command: string[]): Promise<void> {
  const admin = createClient({ socket: { path: server.socketPath, tls: false }, password: 'secret' })
  admin.on('error', () => {})
  await admin.connect()
  await admin.sendCommand(command)
  admin.destroy()
}
