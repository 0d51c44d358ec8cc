import assert from 'node:assert/strict'
import { CacheError } from '../../../src/foundation/errors/cache-error.ts'
import type { Process } from './shared-codec.ts'

export const KEY = 'cache:user:1'

export const USER = { id: 1, name: 'Ada', geo: { lat: 51.5, lon: -0.13 } }

export const ORDER = { number: 7, lines: [{ article: 'a', count: 2 }] }

export function isUndecodable(error: unknown): boolean {
  return error instanceof CacheError && error.code === 'CACHE_UNDECODABLE'
}

export async function assertMiss(one: Process, entry: Buffer): Promise<void> {
  await assert.rejects(async () => one.codec.decode(KEY, entry), isUndecodable)
}
