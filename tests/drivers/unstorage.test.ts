// unstorage publishes no suite for its drivers. These cases say what its documentation asks of a driver, and every one
// goes through `createStorage` of the published package, so it is unstorage that calls the driver.
import { createStorage, prefixStorage, type Storage } from 'unstorage'
import { beforeEach, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { describeOnEachBackend } from './each-backend.ts'
import { unstorageDriver } from './unstorage-driver.ts'

/** All bytes, which are no text. */
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => 255 - byte))

describeOnEachBackend<Uint8Array>(
  { prefix: 'unstorage-suite:', serializer: 'bytes', ttl: Number.POSITIVE_INFINITY },
  ({ backend, open }) => {
    let storage: Storage
    beforeEach(async () => {
      storage = createStorage({ driver: unstorageDriver(backend()) })
      await storage.clear()
    })

    const sortedKeys = async (base?: string) => (await storage.getKeys(base)).toSorted()

    test.each([
      ['text', 'hello'],
      ['text that is not ASCII', 'naïve 🙂 \u2028'],
      ['empty text', ''],
      ['text that looks like JSON', '{"a":'],
      ['a number', 12.5],
      ['zero', 0],
      ['true', true],
      ['false', false],
      ['null', null],
      ['an object', { a: [1, { b: null }], c: 'd' }],
      ['an array', [1, 'two', null]],
    ])('setItem and getItem keep %s', async (_what, value) => {
      await storage.setItem('key', value)
      expect(await storage.getItem('key')).toEqual(value)
    })

    test('what has a form for JSON is stored in it', async () => {
      await storage.setItem('key', { toJSON: () => ({ form: 1 }) })
      expect(await storage.getItem('key')).toEqual({ form: 1 })
    })

    test('a missing item is null, and hasItem tells that it is missing', async () => {
      expect(await storage.getItem('missing')).toBeNull()
      expect(await storage.getItemRaw('missing')).toBeNull()
      expect(await storage.hasItem('missing')).toBe(false)
      await storage.setItem('there', 'value')
      expect(await storage.hasItem('there')).toBe(true)
    })

    test('a second setItem replaces the first, and undefined removes the item', async () => {
      await storage.setItem('key', 'first')
      await storage.setItem('key', 'second')
      expect(await storage.getItem('key')).toBe('second')
      await storage.setItem('key', undefined as never)
      expect(await storage.hasItem('key')).toBe(false)
    })

    test('the names of items are normalized: a slash is a colon', async () => {
      await storage.setItem('/a/b//c', 'value')
      expect(await storage.getItem('a:b:c')).toBe('value')
      expect(await storage.getKeys()).toEqual(['a:b:c'])
    })

    test.each([
      ['bytes that are no text', BYTES],
      ['no bytes', Buffer.alloc(0)],
      ['a mebibyte', Buffer.alloc(1024 * 1024, BYTES)],
    ])('setItemRaw and getItemRaw keep %s', async (_what, bytes) => {
      await storage.setItemRaw('key', bytes)
      expect(Buffer.compare((await storage.getItemRaw('key')) as Uint8Array, bytes)).toBe(0)
    })

    test('a view of a larger buffer is stored alone', async () => {
      await storage.setItemRaw('key', new Uint8Array(BYTES.buffer, BYTES.byteOffset + 10, 3))
      expect([...((await storage.getItemRaw('key')) as Uint8Array)]).toEqual([...BYTES.subarray(10, 13)])
    })

    test('text and raw items may be read as each other', async () => {
      await storage.setItem('text', 'naïve')
      expect(Buffer.from((await storage.getItemRaw('text')) as Uint8Array).toString()).toBe('naïve')
      await storage.setItemRaw('raw', '{"a":1}')
      expect(await storage.getItem('raw')).toEqual({ a: 1 })
    })

    test('getItems answers for each item in order, and null for a missing one', async () => {
      await storage.setItem('a', { one: 1 })
      await storage.setItem('b:c', 'two')
      expect(await storage.getItems(['b:c', 'missing', { key: 'a' }])).toEqual([
        { key: 'b:c', value: 'two' },
        { key: 'missing', value: null },
        { key: 'a', value: { one: 1 } },
      ])
      expect(await storage.getItems([])).toEqual([])
    })

    test('setItems stores all items, each with its own time to live or the common one', async () => {
      await storage.setItems<object | string>(
        [
          { key: 'common', value: { one: 1 } },
          { key: 'own', value: 'two', options: { ttl: 5_000 } },
        ],
        { ttl: 50 },
      )
      expect(await storage.getItem('common')).toEqual({ one: 1 })
      expect(await storage.getItem('own')).toBe('two')
      const { ttl: common } = await storage.getMeta('common')
      const { ttl: own } = await storage.getMeta('own')
      expect(common).toBeLessThanOrEqual(50)
      expect(own).toBeGreaterThan(50)
      expect(own).toBeLessThanOrEqual(5_000)
    })

    test('an item ends with its time to live', async () => {
      await storage.setItem('short', 'value', { ttl: 0.05 })
      await storage.setItemRaw('short raw', BYTES, { ttl: 0.05 })
      await storage.setItem('long', 'value', { ttl: 60 })
      await waitUntil(
        async () => !(await storage.hasItem('short')) && !(await storage.hasItem('short raw')),
        { what: 'the short items to end' },
      )
      expect(await storage.getItem('short')).toBeNull()
      expect(await storage.getKeys()).toEqual(['long'])
    })

    test('getMeta has what is left of the time to live, if there is one, and what setMeta has stored', async () => {
      await storage.setItem('short', 'value', { ttl: 60 })
      await storage.setItem('for ever', 'value', { ttl: 0 })
      expect((await storage.getMeta('short')).ttl).toBeGreaterThan(50)
      expect({ ...(await storage.getMeta('for ever')) }).toEqual({})
      expect({ ...(await storage.getMeta('missing')) }).toEqual({})

      const mtime = new Date(0)
      await storage.setMeta('short', { mtime, author: 'Ada' })
      const { ttl, ...own } = await storage.getMeta('short')
      expect(own).toEqual({ mtime, author: 'Ada' })
      expect(ttl).toBeGreaterThan(50)
      expect(Object.keys(await storage.getMeta('short', { nativeOnly: true }))).toEqual(['ttl'])
      expect(await storage.getKeys()).not.toContain('short$')
    })

    test('removeItem removes the item, and with removeMeta what setMeta has stored', async () => {
      await storage.setItem('key', 'value')
      await storage.setMeta('key', { author: 'Ada' })
      await storage.removeItem('key')
      expect(await storage.hasItem('key')).toBe(false)
      expect((await storage.getMeta('key')).author).toBe('Ada')
      await storage.removeItem('key', { removeMeta: true })
      expect({ ...(await storage.getMeta('key')) }).toEqual({})
      await storage.removeItem('missing')
    })

    test('getKeys lists all items, or those under a base', async () => {
      for (const key of ['a', 'a:b', 'a:b:c', 'ab:c']) await storage.setItem(key, key)
      expect(await sortedKeys()).toEqual(['a', 'a:b', 'a:b:c', 'ab:c'])
      expect(await sortedKeys('a')).toEqual(['a:b', 'a:b:c'])
      expect(await sortedKeys('a:b')).toEqual(['a:b:c'])
      expect(await sortedKeys('x')).toEqual([])
      expect((await storage.getKeys('', { maxDepth: 1 })).toSorted()).toEqual(['a', 'a:b', 'ab:c'])
    })

    test('getKeys lists thousands of items', async () => {
      const keys = Array.from({ length: 3_000 }, (_, index) => `many:${index}`)
      await storage.setItems(keys.map((key) => ({ key, value: 1 })))
      expect(await sortedKeys('many')).toEqual(keys.toSorted())
    })

    // A storage clears whole mounts. What a driver does with a base is asked of the driver itself.
    test('clear removes all items, or those under a base and no others', async () => {
      for (const key of ['a', 'a:b', 'a:b:c', 'ab:c']) await storage.setItem(key, key)
      await storage.getMount().driver.clear?.('a:', {})
      expect(await sortedKeys()).toEqual(['a', 'ab:c'])
      await storage.clear()
      expect(await sortedKeys()).toEqual([])
    })

    test('a base with special characters of a glob means itself', async () => {
      for (const key of ['a*:1', 'ab:1', '[a]:1', 'a:1']) await storage.setItem(key, key)
      expect(await sortedKeys('a*')).toEqual(['a*:1'])
      expect(await sortedKeys('[a]')).toEqual(['[a]:1'])
      await storage.getMount().driver.clear?.('a*:', {})
      expect(await sortedKeys()).toEqual(['[a]:1', 'a:1', 'ab:1'])
    })

    test('a storage with a prefix sees its own items alone', async () => {
      const users = prefixStorage(storage, 'users')
      await users.setItem('1', 'Ada')
      await users.setItems([{ key: '2', value: 'Bob' }])
      await storage.setItem('users2:1', 'Eve')
      expect(await storage.getItem('users:1')).toBe('Ada')
      expect((await users.getKeys()).toSorted()).toEqual(['1', '2'])
      expect(await users.getItems(['2', '1'])).toEqual([
        { key: '2', value: 'Bob' },
        { key: '1', value: 'Ada' },
      ])
    })

    test('a driver that is mounted at a base keeps its items apart, and is cleared alone', async () => {
      storage.mount('users', unstorageDriver(backend(), 'u:'))
      await storage.setItem('users:1', 'Ada')
      await storage.setItem('pages:1', 'home')
      expect(await backend().exists('u:1')).toBe(true)
      expect(await storage.getItem('users:1')).toBe('Ada')
      expect(await storage.getItems(['users:1', 'pages:1'])).toEqual([
        { key: 'users:1', value: 'Ada' },
        { key: 'pages:1', value: 'home' },
      ])
      expect(await sortedKeys('users')).toEqual(['users:1'])
      await storage.clear('users')
      expect(await storage.hasItem('users:1')).toBe(false)
      expect(await storage.getItem('pages:1')).toBe('home')
    })

    test('watch tells of every change that is made through the backend, until unwatch', async () => {
      const changes: string[] = []
      await storage.watch((event, key) => changes.push(`${event} ${key}`))
      const other = createStorage({ driver: unstorageDriver(backend()) })
      await storage.setItem('a', 1)
      await storage.setItems([{ key: 'b', value: 2 }])
      await other.setItemRaw('c', BYTES)
      await other.removeItem('a')
      expect(changes).toEqual(['update a', 'update b', 'update c', 'remove a'])
      await storage.unwatch()
      await storage.setItem('a', 1)
      expect(changes).toHaveLength(4)
    })

    test('dispose closes the backend', async () => {
      const own = createStorage({ driver: unstorageDriver(open()) })
      await own.setItem('key', 'value')
      await own.dispose()
      await expect(own.getItem('key')).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
    })
  },
)
