import { createClient } from '@redis/client'
import { RedisCacheBackend } from 'cachewright/redis'
import { percentile } from '../rounds.ts'
import { formatCount, formatTable } from '../table.ts'

const KEYS = 200_000

/**
 * `clear()` of 200,000 keys while a second client pings.
 * @returns whether no single command held the server for longer than 5 ms
 */
export async function benchRemoval(url: string): Promise<boolean> {
  const observer = await createClient({ url, commandOptions: { timeout: 0 } }).connect()
  await using backend = new RedisCacheBackend({ url, prefix: 'removal:' })
  await backend.initialize()
  await backend.setMany(Array.from({ length: KEYS }, (_, index) => [`key:${index}`, index] as const))

  const before = await pingWhile(observer, () => new Promise((resolve) => setTimeout(resolve, 500)))
  await observer.sendCommand(['SLOWLOG', 'RESET'])
  const startMs = performance.now()
  const during = await pingWhile(observer, () => backend.clear())
  const tookMs = performance.now() - startMs
  const slow = Number(await observer.sendCommand(['SLOWLOG', 'LEN']))
  await observer.close()

  const row = (name: string, pings: readonly number[]) => [
    name,
    formatCount(pings.length),
    ...[0.5, 0.99, 1].map((share) => `${percentile(pings, share).toFixed(2)} ms`),
  ]
  console.log(`\nclear() of ${formatCount(KEYS)} keys: ${Math.round(tookMs)} ms`)
  console.log(
    formatTable(
      ['ping of a second client', 'pings', 'p50', 'p99', 'max'],
      [row('before', before), row('during', during)],
    ),
  )
  console.log(`commands that held the server for more than 5 ms (SLOWLOG): ${slow}`)
  return slow === 0
}

async function pingWhile(
  client: { ping(): Promise<unknown> },
  work: () => Promise<unknown>,
): Promise<readonly number[]> {
  let isDone = false
  const done = work().then(() => {
    isDone = true
  })
  const pings: number[] = []
  while (!isDone) {
    const startMs = performance.now()
    await client.ping()
    pings.push(performance.now() - startMs)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await done
  return pings
}
