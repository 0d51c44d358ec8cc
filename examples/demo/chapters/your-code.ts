import type { Terminal } from '../terminal.ts'

/** What a reader takes home. */
export function yourCode(terminal: Terminal): void {
  terminal.heading('In your code')
  terminal.verbatim(
    terminal.cyan("import { RedisCacheBackend } from 'cachewright/redis'"),
    '',
    terminal.cyan("const cache = new RedisCacheBackend<User>({ prefix: 'shop:' })"),
    `${terminal.cyan('await cache.initialize()')}                  ${terminal.dim('// the Redis at REDIS_URL')}`,
    terminal.cyan("await cache.set('user:1', user, '5m')"),
    `${terminal.cyan("const known = await cache.get('user:1')")}   ${terminal.dim('// User | undefined')}`,
  )
  terminal.gap()
}
