import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { percentile } from '../measure/statistics.ts'
import type { PingJob, PreparedJob } from './job.ts'

const PAUSE_MS = 1

/** A second client in a process of its own: what it waits for is the server and nothing else. */
export async function preparePing({ url }: PingJob): Promise<PreparedJob> {
  const client = await createClient({ url, commandOptions: { timeout: 0 } }).connect()
  let isOver = false
  for (let warmUps = 0; warmUps < 200; warmUps++) await client.ping()
  return {
    async turn() {
      isOver = false
      const pings: number[] = []
      while (!isOver) {
        const startMs = performance.now()
        await client.ping()
        pings.push(performance.now() - startMs)
        await pause(PAUSE_MS)
      }
      return { count: pings.length, p99Ms: percentile(pings, 0.99) }
    },
    finish() {
      isOver = true
    },
  }
}
