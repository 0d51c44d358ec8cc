import type { BatchLoadContext } from '../../src/cache/batches/load-batch.ts'
import { PartialLoadError } from '../../src/cache/batches/partial-load-error.ts'
import type { GetOrSetOptions } from '../../src/cache/freshness/policy-options.ts'
import type { LoadContext } from '../../src/cache/loading/load-context.ts'
import type { Fleet } from './fleet.ts'
import { LoaderFailure, type Question } from './history.ts'
import type { Fate, Load, Loads } from './loads.ts'
import { Violation } from './oracle.ts'
import { fatesOf, policiesOf } from './policies.ts'
import { CLOCK_ERROR_MS, type Place, TAGS } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { Tokens } from './tokens.ts'

/** What one call of `getOrSet` or `refresh` asks for. */
interface Asked {
  readonly at: Place
  readonly fate: Fate
  readonly options: GetOrSetOptions
  /** Tags that only the value tells. */
  readonly added: readonly string[]
  readonly controller: AbortController | undefined
  readonly isObedient: boolean
}

/** What callers ask for, and whether they may be given what they get. */
export class Reads {
  readonly #fleet: Fleet
  readonly #loads: Loads
  readonly #places: readonly Place[]
  readonly tokens: Tokens

  constructor(fleet: Fleet, loads: Loads, places: readonly Place[]) {
    this.#fleet = fleet
    this.#loads = loads
    this.#places = places
    this.tokens = new Tokens(fleet)
  }

  getOrSet(process: SimulatedProcess, at: Place): void {
    const asked = this.#asked(at)
    this.#call(process, asked, 'getOrSet', async (plain, load) => {
      const { options, question } = this.#fleet.setting.tokens
        ? this.tokens.ask(plain)
        : { question: plain, options: {} }
      const cache = this.#fleet.cacheOf(process, at)
      const text = await cache.getOrSet(at.key, load, { ...asked.options, ...options })
      return this.answered(process, at, question, text)
    })
  }

  getAtLeast(process: SimulatedProcess, at: Place): void {
    this.tokens.get(process, at, this.question(process, at, []))
  }

  refresh(process: SimulatedProcess, at: Place): void {
    const asked = this.#asked(at)
    this.#call(process, asked, 'refresh', async (question, load) => {
      const text = await this.#fleet.cacheOf(process, at).refresh(at.key, load, asked.options)
      const isStandIn = process.servedInstead.has(at.key)
      if (!isStandIn && text !== undefined) this.#fleet.oracle.refreshed(question, text)
      return this.answered(process, at, question, text)
    })
  }

  /** What a loader of this process reads. */
  async part(process: SimulatedProcess, at: Place): Promise<unknown> {
    const asked = this.#asked(at)
    if (asked.controller !== undefined) this.#fleet.abortable.delete(asked.controller)
    const { tags } = asked.options
    const question = this.question(process, at, tags ?? [])
    const load = (context: LoadContext) => this.#load(process, asked, context)
    const text = await this.#fleet.cacheOf(process, at).getOrSet(at.key, load, { tags })
    return this.answered(process, at, question, text)
  }

  /** Of all keys of a namespace. */
  getOrSetMany(process: SimulatedProcess, { space }: Place): void {
    const { choices } = this.#fleet
    const asked = this.#places.filter((at) => at.space === space).map((at) => this.#asked(at))
    const questions = asked.map(({ at, options }) => this.question(process, at, options.tags ?? []))
    const byKey = new Map(asked.map((one) => [one.at.key, one]))
    const { controller } = asked[0] as Asked
    for (const one of asked)
      if (one.controller !== controller && one.controller !== undefined)
        this.#fleet.abortable.delete(one.controller)
    const isArray = choices.rarely(2)
    const loadMany = async (keys: readonly string[], context: BatchLoadContext) => {
      const values = await Promise.all(
        keys.map((key) => this.#loadOfBatch(process, byKey.get(key) as Asked, context)),
      )
      const storedKeys = keys.map((key) => (byKey.get(key) as Asked).at.storedKey)
      this.#loads.returned(storedKeys, values)
      if (isArray) return values as string[]
      // What has no value may be missing as well.
      return new Map(
        keys.flatMap((key, index) => (values[index] === undefined ? [] : [[key, values[index]] as const])),
      )
    }
    const label = `${process.id} getOrSetMany ${asked.map(({ at, fate }) => `${at.storedKey} ${fate}`)}`
    for (const { at } of asked) process.servedInstead.delete(at.key)
    const check = (values: ReadonlyMap<string, unknown>) => {
      for (const [index, { at }] of asked.entries()) {
        if (values.has(at.key)) this.answered(process, at, questions[index] as Question, values.get(at.key))
      }
      return [...values.values()]
    }
    const work = async () => {
      try {
        const cache = this.#fleet.cacheOf(process, (asked[0] as Asked).at)
        const each = (key: string) => (byKey.get(key) as Asked).options
        return check(await cache.getOrSetMany(byKey.keys(), loadMany, { each, signal: controller?.signal }))
      } catch (error) {
        if (error instanceof PartialLoadError) {
          check(error.values)
          for (const [index, { at }] of asked.entries())
            this.#loads.failures.rejected(questions[index] as Question, error.errors.get(at.key))
        }
        throw error
      } finally {
        if (controller !== undefined) this.#fleet.abortable.delete(controller)
      }
    }
    this.#fleet.call(process, label, work, controller?.signal)
  }

  get(process: SimulatedProcess, at: Place, isLocal: boolean): void {
    const { oracle, setting, time } = this.#fleet
    const question = { ...this.question(process, at, [], isLocal), takesStale: false }
    const written = oracle.written(process.id, at.storedKey)
    this.#fleet.call(
      process,
      `${process.id} get ${at.storedKey}${isLocal ? '' : ' from Redis'}`,
      async () => {
        const text = await this.#fleet.cacheOf(process, at).get(at.key, { local: isLocal })
        oracle.answered(question, text)
        const isUntouched = written?.keys.every(
          ([storedKey, count]) => count === this.#fleet.touchedSoFar(storedKey),
        )
        const isFresh = time.monotonicMs() < (written?.value.bornMs ?? 0) + setting.ttlMs - CLOCK_ERROR_MS
        // While the server's clock is unknown, every entry counts as expired.
        const isTimed = process.tier.serverNowMs() !== undefined
        if (written !== undefined && isUntouched && isFresh && isTimed) {
          this.#fleet.note('read its own write', `${process.id} ${text}`)
          if (text !== written.value.text) {
            throw new Violation(`process ${process.id} wrote ${written.value.text} and got ${text}`)
          }
        }
        return text
      },
    )
  }

  #asked(at: Place): Asked {
    const { abortable, choices, setting } = this.#fleet
    const isCalm = !setting.invalidates
    const tags = !isCalm && choices.rarely(4) ? [] : at.tags
    const added = !isCalm && choices.rarely(4) ? [choices.of(TAGS)] : []
    const fate = choices.weighted<Fate>(fatesOf(setting))
    const controller = choices.rarely(8) ? new AbortController() : undefined
    if (controller !== undefined) abortable.add(controller)
    const options = {
      tags,
      ...(controller && { signal: controller.signal }),
      ...policiesOf(choices, setting),
    }
    const isObedient = isCalm || (setting.policies === true && choices.rarely(2))
    return { at, fate, added, controller, options, isObedient }
  }

  #call(
    process: SimulatedProcess,
    asked: Asked,
    operation: string,
    work: (question: Question, load: (context: LoadContext) => Promise<unknown>) => Promise<unknown>,
  ): void {
    const { added, at, controller, fate, options } = asked
    const question = this.question(process, at, options.tags ?? [])
    const { earlyRefresh, hardTimeout, softTimeout } = options
    const policies = [earlyRefresh && 'early', softTimeout && 'soft', hardTimeout && 'hard'].filter(Boolean)
    const how = [fate === 'value' ? '' : fate, ...policies].join(' ')
    const label = `${process.id} ${operation} ${at.storedKey} [${options.tags}]+[${added}] ${how}`
    process.servedInstead.delete(at.key)
    this.#fleet.call(
      process,
      label,
      async () => {
        try {
          return await work(question, (context) => this.#load(process, asked, context))
        } catch (error) {
          this.#loads.failures.rejected(question, error)
          throw error
        } finally {
          if (controller !== undefined) this.#fleet.abortable.delete(controller)
        }
      },
      controller?.signal,
    )
  }

  #load(process: SimulatedProcess, asked: Asked, context: LoadContext): Promise<unknown> {
    return new Promise<unknown>((resolve, reject) => {
      const keepStale = () => {
        try {
          context.notModified()
        } catch (error) {
          reject(error)
        }
      }
      const parts = { resolve, reject, keepStale, skip: () => context.skip() }
      const begun = this.#begun(process, asked, context, parts)
      if (!asked.isObedient) return
      // Where there is to be one loader, one that goes on though nobody waits for it any more may meet the next one.
      context.signal.addEventListener('abort', () => {
        this.#loads.drop(begun)
        reject(
          this.#fleet.setting.policies ? context.signal.reason : new LoaderFailure('Nobody waits for it'),
        )
      })
    })
  }

  #loadOfBatch(process: SimulatedProcess, asked: Asked, batch: BatchLoadContext): Promise<unknown> {
    const context = batch.of(asked.at.key)
    return new Promise<unknown>((resolve) => {
      const keepStale = () => {
        batch.notModified(context.key)
        resolve(undefined)
      }
      // A failure stands in the place of a value.
      this.#begun(process, asked, context, {
        resolve,
        reject: resolve,
        keepStale,
        skip: () => context.skip(),
      })
    })
  }

  #begun(
    process: SimulatedProcess,
    { added, at, fate, options }: Asked,
    context: Pick<LoadContext, 'addTags' | 'stale'>,
    parts: Pick<Load, 'resolve' | 'reject' | 'keepStale' | 'skip'>,
  ): Load {
    const { storedKey } = at
    const stale = context.stale()
    if (!this.#fleet.setting.invalidates) this.#loads.assertAlone(process, storedKey)
    // A value that is still right keeps the tags that it has.
    const told = fate === 'confirm' && stale !== undefined ? [] : added
    if (told.length > 0) context.addTags(told)
    const tagKeys = new Set([...(options.tags ?? []), ...told].map((tag) => at.space.tagKey(tag)))
    const isUncached = !process.tier.leased.has(storedKey)
    const load = { ...parts, process, storedKey, fate, tagKeys, stale, isUncached }
    this.#loads.begin(load)
    return load
  }

  question(process: SimulatedProcess, at: Place, tags: readonly string[], isLocal = true): Question {
    return this.#fleet.oracle.question(
      process.id,
      at.storedKey,
      tags.map((tag) => at.space.tagKey(tag)),
      isLocal,
      process.tier.link !== undefined,
      this.#fleet.time.monotonicMs(),
    )
  }

  answered(process: SimulatedProcess, at: Place, question: Question, text: unknown): unknown {
    if (!process.servedInstead.has(at.key)) {
      if (text === undefined) this.#fleet.absences.answered(question)
      this.#fleet.oracle.answered(question, text)
    } else if (text !== undefined) {
      this.#fleet.note('stands in', String(text))
      this.#fleet.oracle.stoodIn(question, text)
    }
    return text
  }
}
