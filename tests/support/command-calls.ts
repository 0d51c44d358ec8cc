import type { RedisReply } from '../../testbed/redis-command.ts'

/** How often each command reached the server since CONFIG RESETSTAT, whether it was executed or refused. */
export async function commandCalls(server: {
  ask(...command: string[]): Promise<RedisReply>
}): Promise<Map<string, number>> {
  const calls = new Map<string, number>()
  for (const line of String(await server.ask('INFO', 'commandstats')).split('\r\n')) {
    const [, name, executed, rejected] = /^cmdstat_(.+):calls=(\d+),.*rejected_calls=(\d+)/.exec(line) ?? []
    if (name !== undefined) calls.set(name, Number(executed) + Number(rejected))
  }
  return calls
}
