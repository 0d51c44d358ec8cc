import type { CacheBackend } from 'cachewright'
import { listedKeys } from '../support/listed-keys.ts'
import type { RecordedFailures } from './recorded-failures.ts'

/** Runs every operation, with a key and a value (also as a set's member) that must not be told. */
export async function provokeEveryOperation(
  backend: CacheBackend,
  failures: RecordedFailures,
  key: string,
  value: string,
): Promise<void> {
  for (const work of [
    () => backend.get(key),
    () => backend.set(key, value),
    () => backend.delete(key),
    () => backend.exists(key),
    () => backend.getMany([key, 'short']),
    () => backend.setMany({ [key]: value, short: value }),
    () => backend.deleteMany([key]),
    () => backend.incr(key),
    () => backend.decr(key),
    () => backend.incrBig(key),
    () => backend.clear(),
    () => backend.invalidatePattern(`${key}*`),
    () => backend.getTtl(key),
    () => backend.addToSet(key, value),
    () => backend.addManyToSet(key, [value]),
    () => backend.getSetMembers(key),
    () => backend.removeFromSet(key, value),
    () => backend.setIfAbsent(key, value),
    () => backend.getAndDelete(key),
    () => backend.touch(key),
    () => backend.persist(key),
    () => backend.existsMany([key, 'short']),
    () => backend.getTtlMany([key, 'short']),
    () => backend.setMany([[key, value, '1m']]),
    () => listedKeys(backend, `${key}*`),
  ]) {
    await failures.provoke(work)
  }
}
