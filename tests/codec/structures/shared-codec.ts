import { type EncryptionOptions, resolveEncryption } from '../../../src/codec/envelope/encryption.ts'
import { SharedStructures } from '../../../src/codec/structures/shared-structures.ts'
import type { StructureStore } from '../../../src/codec/structures/structure-store.ts'
import { ValueCodec, type ValueCodecOptions } from '../../../src/codec/value-codec.ts'
import { ManualClock } from '../../../src/testing/simulated/manual-clock.ts'

/** The store in which several codecs of a test find the same dictionary; counts their accesses. */
export class SharedPlace {
  stored: Buffer | null = null
  loads = 0
  replacements = 0
  /** Rejects every request. */
  isAway = false
  /** Holds the answers of loads back until it resolves. */
  held: Promise<unknown> = Promise.resolve()

  store(storedKey: string): StructureStore {
    return {
      storedKey,
      load: async () => {
        this.loads++
        const answer = this.stored
        await this.held
        if (this.isAway) throw new Error('away')
        return answer
      },
      replace: async (expected, bytes) => {
        this.replacements++
        if (this.isAway) throw new Error('away')
        const { stored } = this
        if (stored !== null && !stored.equals(bytes) && !expected?.equals(stored)) return stored
        this.stored = bytes
        return null
      },
    }
  }
}

/** A process that shares structures with others. */
export class Process {
  readonly clock: ManualClock = new ManualClock()
  readonly structures: SharedStructures
  readonly codec: ValueCodec

  private constructor(
    place: SharedPlace,
    options: Partial<ValueCodecOptions>,
    encryption?: EncryptionOptions,
  ) {
    const resolved = resolveEncryption(encryption)
    this.structures = new SharedStructures({
      store: place.store('cache:\0structures'),
      encryption: resolved,
      clock: this.clock,
      timers: this.clock,
    })
    const all = {
      serializer: 'msgpack',
      readers: ['msgpack'],
      decompressors: ['gzip'],
      compression: undefined,
      maxValueBytes: 1_000_000,
    } as const
    this.codec = new ValueCodec({ ...all, ...options, encryption: resolved }, this.structures)
  }

  static async start(
    place: SharedPlace,
    options: Partial<ValueCodecOptions> = {},
    encryption?: EncryptionOptions,
  ): Promise<Process> {
    const started = new Process(place, options, encryption)
    await started.codec.prepare()
    await started.structures.open()
    return started
  }

  encode(key: string, value: unknown): Buffer {
    return Buffer.from(this.codec.encode(key, value) as string)
  }

  /** Writes each value as often as it takes to learn its shapes, and lets them be published. */
  async learn(...values: readonly unknown[]): Promise<void> {
    for (const value of values) for (let times = 0; times < 3; times++) this.encode('key', value)
    await this.clock.advance('1s')
  }
}

/** How many shapes the dictionary holds that the entry refers to; 0 where it needs none. */
export function structuresIn(entry: Buffer): number {
  return ((entry[7] as number) & 0b10000) === 0 ? 0 : entry.readUInt16BE(12)
}
