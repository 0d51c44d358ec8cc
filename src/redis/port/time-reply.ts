import type { RedisReply } from './redis-port.ts'

/** The reply to a `TIME`, in microseconds since 1970. */
export function timeUsIn(reply: RedisReply): number {
  const [seconds, microseconds] = reply as readonly string[]
  return Number(seconds) * 1_000_000 + Number(microseconds)
}

/** The reply to a `TIME`, in milliseconds since 1970, with fractions. */
export function timeMsIn(reply: RedisReply): number {
  return timeUsIn(reply) / 1_000
}
