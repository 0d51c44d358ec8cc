import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Contender, Setting, Store } from '../contenders/contender.ts'
import { CONTENDERS } from '../contenders/contenders.ts'
import type { Task } from '../measure/throughput.ts'
import { idOf, keyOf, type Payload } from './payloads.ts'

/** Longer than the background work with which a format learns from what it has seen. */
const LEARNING_MS = 500
const FILLED_AT_ONCE = 128
const CHECKED = 20

/** An opened contender. */
export interface Player {
  readonly contender: Contender
  readonly store: Store
  /** How often it has loaded a value. */
  loads(): number
}

/** How contenders are opened. */
export interface FieldOptions {
  readonly url: string
  readonly payload: Payload
  /** Whether they may keep values in the process. */
  readonly tier: 'shared' | 'local'
  readonly localEntries?: number
  readonly tags?: readonly string[]
  readonly format?: Setting['format']
}

/** What is told to a contender that is opened with these options; `name` sets its keys apart. */
export function settingOf(name: string, options: FieldOptions): Setting {
  const { format = 'object', localEntries = 100_000, payload, tags = [], url } = options
  const load = async (key: string) => payload.valueOf(idOf(key))
  return {
    url,
    prefix: prefixOf(name),
    format,
    ttlMs: 3_600_000,
    localEntries,
    tags,
    load,
    loadMany: (keys) => Promise.all(keys.map(load)),
  }
}

/** Short and of one length, so that the keys of all are as long. */
function prefixOf(name: string): string {
  const position = CONTENDERS.findIndex((contender) => contender.name === name)
  return `c${String(position + 1).padStart(2, '0')}:`
}

/** Opens those of the contenders that can keep values where they are asked to; closed again when `use` is through. */
export async function withField<Result>(
  contenders: readonly Contender[],
  options: FieldOptions,
  use: (players: readonly Player[]) => Promise<Result>,
): Promise<Result> {
  const players: Player[] = []
  try {
    for (const contender of contenders) {
      const open = options.tier === 'shared' ? contender.openShared : contender.openLocal
      if (open === undefined || (options.tags?.length && !contender.hasTags)) continue
      players.push(await enter(contender, open, options))
    }
    return await use(players)
  } finally {
    for (const { store } of players) await store.close()
  }
}

async function enter(
  contender: Contender,
  open: (setting: Setting) => Promise<Store>,
  options: FieldOptions,
): Promise<Player> {
  let loads = 0
  const setting = settingOf(contender.name, options)
  const load = (key: string) => {
    loads++
    return setting.load(key)
  }
  return { contender, store: await open({ ...setting, load }), loads: () => loads }
}

/** Reads every key twice, so that a tier in the process holds them all. */
export async function warmUp({ store }: Player, payload: Payload): Promise<void> {
  const keys = Array.from({ length: payload.keys }, (_, id) => keyOf(id))
  for (let times = 0; times < 2; times++) await inParallel(keys, (key) => store.get(key))
}

/** Stores every value of a payload through the contender's own door, and checks that it answers them. */
export async function fill(player: Player, payload: Payload): Promise<void> {
  const { contender, store } = player
  const keys = Array.from({ length: payload.keys }, (_, id) => keyOf(id))
  for (let times = contender.learns ? 2 : 1; times > 0; times--) {
    await inParallel(keys, (key) =>
      store.set === undefined ? store.get(key) : store.set(key, payload.valueOf(idOf(key))),
    )
    if (contender.learns) await pause(LEARNING_MS)
  }
  await check(player, payload)
}

/** @throws AssertionError where it answers anything but the values of the payload */
async function check({ contender, store }: Player, payload: Payload): Promise<void> {
  const asked = Array.from({ length: Math.min(CHECKED, payload.keys) }, (_, id) => keyOf(id))
  const expected = asked.map((key) => payload.valueOf(idOf(key)))
  const found = await Promise.all(asked.map((key) => store.get(key)))
  assert.deepEqual(found, expected, `${contender.name} answers wrong values`)
  if (store.getMany === undefined) return
  const several = valuesIn(await store.getMany([...asked]))
  assert.deepEqual(several, expected, `${contender.name} answers wrong values together`)
}

/** In the order of their ids, whatever the order of the answer. */
function valuesIn(answer: Iterable<unknown> | ReadonlyMap<string, unknown>): readonly unknown[] {
  const values = answer instanceof Map ? [...answer.values()] : [...(answer as Iterable<unknown>)]
  const idIn = (value: unknown) => (value as { readonly id?: number } | undefined)?.id ?? 0
  return values.sort((a, b) => idIn(a) - idIn(b))
}

/** Does the work for each item, so many at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length) await work(items[next++] as Item)
  }
  await Promise.all(Array.from({ length: FILLED_AT_ONCE }, worker))
}

/** Reads of the payload's keys in turn. */
export function readTask({ contender, store }: Player, payload: Payload): Task {
  const keys = Array.from({ length: payload.keys }, (_, id) => keyOf(id))
  return {
    contender: contender.name,
    kind: contender.kind,
    run: (index) => store.get(keys[index % keys.length] as string),
  }
}
