import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene()

/** A row that others see only when the transaction is committed. */
class Table {
  row = 'old'

  async transaction(work: (write: (row: string) => void) => Promise<void>): Promise<void> {
    let written = this.row
    await work((row) => {
      written = row
    })
    this.row = written
  }
}

async function processes(): Promise<{
  writing: Cache
  reading: Cache
  table: Table
  ask: () => Promise<string>
}> {
  const [writing, reading, table] = [await scene.open(), await scene.open(), new Table()]
  return { writing, reading, table, ask: () => reading.getOrSet('user:1', () => table.row) }
}

describe('a read between an update and its commit', () => {
  // drizzle-team/drizzle-orm#5828
  test('stores nothing while the change holds the key', async () => {
    const { writing, reading, table, ask } = await processes()
    expect(await ask()).toBe('old')
    await writing.change({ keys: ['user:1'], hold: '10s' }, () =>
      table.transaction(async (write) => {
        write('new')
        expect(await ask()).toBe('old')
        expect(await reading.get('user:1', { local: false })).toBeUndefined()
      }),
    )
    expect(await ask()).toBe('new')
    expect(await writing.get('user:1')).toBe('new')
  })

  // Suor/django-cacheops#22
  test('leaves nothing old once the change has ended, since its invalidations are sent after the commit', async () => {
    const { writing, reading, table, ask } = await processes()
    await writing.change({}, () =>
      table.transaction(async (write) => {
        write('new')
        await writing.delete('user:1')
        expect(await ask()).toBe('old')
      }),
    )
    // A local copy goes when the news arrives; this reads past it.
    expect(await reading.get('user:1', { local: false })).toBeUndefined()
    expect(await ask()).toBe('new')
  })

  test('whose transaction is rolled back: nothing of it is stored, and nothing is invalidated', async () => {
    const { writing, reading, table, ask } = await processes()
    expect(await ask()).toBe('old')
    const change = writing.change({}, () =>
      table.transaction(async (write) => {
        write('new')
        await writing.delete('user:1')
        expect(await writing.getOrSet('user:1', () => 'new')).toBe('new')
        throw new Error('rolled back')
      }),
    )
    await expect(change).rejects.toThrow('rolled back')
    for (const cache of [reading, writing]) expect(await cache.get('user:1')).toBe('old')
  })
})
