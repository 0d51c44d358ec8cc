import assert from 'node:assert/strict'
import { PGlite } from '@electric-sql/pglite'
import type { Cache } from 'cachewright'
import { test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { blockOf, recipe } from './recipe.ts'

const scene = useScene()
const HEADING = 'Invalidated by the database'

test(HEADING, async () => {
  const { drain, relay } = await recipe<{
    drain(cache: Cache, db: PGlite): Promise<number>
    relay(cache: Cache, db: PGlite, onError: (error: unknown) => void): { wake(): void; end(): Promise<void> }
  }>(HEADING)
  await using db = await PGlite.create()
  await db.exec('create table users (id int primary key, name text)')
  await db.exec(blockOf(HEADING, 'sql'))
  const cache = await scene.open({ commandTimeout: '300ms' })
  const fill = (id: number) => cache.set(`user:${id}`, 'old', { tags: [`users:${id}`] })
  const cached = async (...ids: number[]) => {
    const found = await cache.getMany(ids.map((id) => `user:${id}`))
    return ids.filter((id) => found.get(`user:${id}`) !== undefined)
  }

  for (const id of [1, 2, 3, 4]) await fill(id)
  await db.exec(`insert into users values (1, 'a'), (3, 'c')`)
  assert.deepEqual([await drain(cache, db), await cached(1, 2, 3, 4)], [2, [2, 4]])
  for (const id of [1, 3]) await fill(id)
  await db.exec(`begin; update users set name = 'b'; rollback`)
  assert.deepEqual([await drain(cache, db), await cached(1, 2, 3, 4)], [0, [1, 2, 3, 4]])
  await db.exec('update users set id = 2 where id = 1')
  assert.deepEqual([await drain(cache, db), await cached(1, 2, 3, 4)], [2, [3, 4]])

  await db.exec('delete from users where id = 3')
  scene.redis.pause()
  await assert.rejects(drain(cache, db), /The rows stay/)
  scene.redis.resume()
  await waitUntil(async () => (await drain(cache, db).catch(() => 0)) === 1, {
    what: 'the row that stayed',
  })
  assert.deepEqual(await cached(3, 4), [4])

  await fill(1_700)
  const errors: unknown[] = []
  const worker = relay(cache, db, (error) => errors.push(error))
  await db.listen('cache_outbox', worker.wake)
  await db.exec(`insert into users select n, 'd' from generate_series(1000, 2000) as n`)
  await waitUntil(async () => (await cached(1_700)).length === 0, { what: 'the invalidation' })
  await worker.end()
  assert.deepEqual(errors, [])
  assert.deepEqual((await db.query('select * from cache_outbox')).rows, [])
})
