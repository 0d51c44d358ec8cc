import type { Standalone } from '../../testbed/redis-standalone.ts'

/** What a server has done since it was started. */
export interface RedisLoad {
  readonly cpuMicros: number
  /** Those that scripts call are commands too; asking for this is none. */
  readonly commands: number
  readonly bytesReceived: number
  readonly bytesSent: number
}

export async function redisLoad(redis: Pick<Standalone, 'ask'>): Promise<RedisLoad> {
  return parseRedisLoad(String(await redis.ask('INFO', 'cpu', 'stats', 'commandstats')))
}

/** @param info the reply to `INFO cpu stats commandstats` */
export function parseRedisLoad(info: string): RedisLoad {
  const fields = parseInfo(info)
  const number = (name: string) => Number(fields.get(name) ?? 0)
  let commands = 0
  for (const [name, value] of fields) {
    if (!name.startsWith('cmdstat_') || name === 'cmdstat_info') continue
    commands += Number(/^calls=(\d+)/.exec(value)?.[1] ?? 0)
  }
  return {
    cpuMicros: (number('used_cpu_sys') + number('used_cpu_user')) * 1e6,
    commands,
    bytesReceived: number('total_net_input_bytes'),
    bytesSent: number('total_net_output_bytes'),
  }
}

/** `name:value` lines of an `INFO` reply. */
export function parseInfo(info: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}
