import { execFileSync } from 'node:child_process'
import * as msgpackr from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { createMsgpackSerializer } from '../../src/codec/msgpack/msgpack.ts'

const withExtract = createMsgpackSerializer({ ...msgpackr, isNativeAccelerationEnabled: true })
const withoutExtract = createMsgpackSerializer({ ...msgpackr, isNativeAccelerationEnabled: false })

/** A text that begins with U+FEFF, of so many bytes. */
const marked = (bytes: number) => `\ufeff${'x'.repeat(bytes - 3)}`

/** Values that hold a text. */
const PLACES: Readonly<Record<string, (text: string) => unknown>> = {
  'the value': (text) => text,
  'an item': (text) => ['a', text],
  'a property': (text) => ({ a: 1, text }),
  'a name': (text) => ({ a: 1, [text]: 2 }),
  'a key of a map': (text) => new Map([[text, 1]]),
  'a member of a large set': (text) => new Set([...Array.from({ length: 300 }, (_, id) => id), text]),
  'a message': (text) => new Error(text),
  'a regular expression': (text) => new RegExp(text),
}

describe('msgpack: strings that begin with U+FEFF', () => {
  test.each(Object.entries(PLACES))('%s, without msgpackr-extract', (_, place) => {
    for (const bytes of [65, 300, 70_000]) {
      expect(() => withoutExtract.encode(place(marked(bytes)))).toThrow(
        'a string that begins with U+FEFF, which msgpackr reads without it unless msgpackr-extract is installed',
      )
      const stored = Buffer.from(withExtract.encode(place(marked(bytes))) as Uint8Array)
      expect(() => withoutExtract.decode(stored)).toThrow(/U\+FEFF/)
    }
    for (const text of [marked(64), `a${marked(100)}`, '\ufefe'.repeat(50)]) {
      const stored = Buffer.from(withoutExtract.encode(place(text)) as Uint8Array)
      expect(withoutExtract.decode(stored)).toEqual(place(text))
    }
  })

  test('msgpackr alone reads shorter ones as they are, and longer ones without it', () => {
    const script = `
      import * as msgpackr from 'msgpackr'
      const packr = new msgpackr.Packr()
      const isRead = (bytes) => {
        const text = '\\ufeff' + 'x'.repeat(bytes - 3)
        const named = { [text]: 1 }
        return packr.unpack(packr.pack(text)) === text && Object.hasOwn(packr.unpack(packr.pack(named)), text)
      }
      console.log(msgpackr.isNativeAccelerationEnabled, [3, 15, 16, 31, 32, 63, 64, 65, 66, 300].map(isRead).join())`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, MSGPACKR_NATIVE_ACCELERATION_DISABLED: 'true' },
      encoding: 'utf8',
    })
    expect(output.trim()).toBe('false true,true,true,true,true,true,true,false,false,false')
  })
})
