import { Chance } from './chance.ts'

/** How a server lies about one reply. */
export interface Lie {
  /** Which of the replies, counted from when the lying began. */
  readonly reply: number
  readonly kind: (typeof KINDS)[number]
  /** Decides the rest. */
  readonly seed: number
}

/** Lies by which true replies go to the wrong commands, but none is surplus. */
export const KINDS_IN_STEP = ['another', 'late', 'none'] as const

export const KINDS = [
  ...KINDS_IN_STEP,
  'twice',
  'mutated',
  'cut',
  'of-another-form',
  'wrong-length',
  'push-before',
  'attribute-before',
] as const

/** The replies that a lie may choose from: of every form, and of lengths that are not true. */
const FORMS = [
  ...['+OK\r\n', '-ERR no\r\n', '-MOVED 1 127.0.0.1:1\r\n', '-NOPERM no\r\n', '-NOSCRIPT no\r\n', '-\r\n'],
  ...[':0\r\n', ':-1\r\n', ':9223372036854775807\r\n', ':x\r\n', ',inf\r\n', ',nan\r\n', '#x\r\n', '_\r\n'],
  ...[
    '(99999999999999999999999\r\n',
    '(x\r\n',
    '$-1\r\n',
    '$0\r\n\r\n',
    '$-7\r\n',
    '$x\r\n',
    '$99999999\r\nabc\r\n',
  ],
  ...[
    '=3\r\ntxt\r\n',
    '!5\r\nERR x\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*x\r\n',
    '*1\r\n*1\r\n*1\r\n_\r\n',
    '*4294967296\r\n',
  ],
  ...[
    '%1\r\n+a\r\n+b\r\n',
    '%-1\r\n',
    '~2\r\n+a\r\n+a\r\n',
    '|1\r\n+a\r\n+b\r\n:1\r\n',
    '>0\r\n',
    '?\r\n',
    '\r\n',
    '\0',
  ],
].map((text) => Buffer.from(text))

/** What a server may push without having been asked. */
const PUSHES = [
  ...[
    '>2\r\n$10\r\ninvalidate\r\n_\r\n',
    '>2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nf:1\r\n',
    '>0\r\n',
    '>1\r\n_\r\n',
  ],
  ...[
    '>2\r\n$10\r\ninvalidate\r\n*1\r\n:5\r\n',
    '>2\r\n$10\r\ninvalidate\r\n*1\r\n_\r\n',
    '>2\r\n$10\r\ninvalidate\r\n:1\r\n',
  ],
  ...[
    '>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n',
    '>1\r\n$10\r\ninvalidate\r\n',
    '>2\r\n$10\r\ninvalidate\r\n*1\r\n*0\r\n',
  ],
].map((text) => Buffer.from(text))

/** Tells the lies, one after another, and the truth between them. */
export class Liar {
  readonly #lies: readonly Lie[]
  #replies = 0
  #before: Buffer = Buffer.alloc(0)
  #held: Buffer = Buffer.alloc(0)

  constructor(lies: readonly Lie[]) {
    this.#lies = lies
  }

  /** What to send in place of a reply. */
  tell(reply: Buffer): Buffer {
    const lie = this.#lies.find(({ reply: index }) => index === this.#replies)
    this.#replies++
    const held = this.#held
    this.#held = Buffer.alloc(0)
    const told = lie === undefined ? reply : this.#told(lie, reply)
    this.#before = reply
    return Buffer.concat([told, held])
  }

  #told({ kind, seed }: Lie, reply: Buffer): Buffer {
    const chance = new Chance(seed)
    switch (kind) {
      case 'mutated':
        return chance.mutateBytes(reply)
      case 'another':
        return this.#before
      case 'late':
        this.#held = reply
        return Buffer.alloc(0)
      case 'twice':
        return Buffer.concat([reply, reply])
      case 'none':
        return Buffer.alloc(0)
      case 'cut':
        return reply.subarray(0, chance.below(reply.length))
      case 'of-another-form':
        return chance.pick(FORMS)
      case 'wrong-length':
        return Buffer.from(
          reply.toString('latin1').replace(/\d+/, () => String(chance.below(300))),
          'latin1',
        )
      case 'push-before':
        return Buffer.concat([chance.pick(PUSHES), reply])
      case 'attribute-before':
        return Buffer.concat([Buffer.from('|1\r\n+ttl\r\n:5\r\n'), reply])
    }
  }
}

type Kinds = readonly Lie['kind'][]

/** One more lie, or another one in place of the first. */
export function mutateLies(lies: readonly Lie[], kinds: Kinds, chance: Chance): readonly Lie[] {
  const lie = { reply: chance.below(12), kind: chance.pick(kinds), seed: chance.below(1_000_000) }
  return lies.length > 4 || chance.happens(0.3) ? [...lies.slice(1), lie] : [...lies, lie]
}

/** One lie of each kind. */
export function seedsOf(kinds: Kinds): readonly (readonly Lie[])[] {
  return kinds.map((kind, index) => [{ reply: index % 3, kind, seed: index }])
}
