import { z } from 'zod'
import type { Scene } from '../support/scene.ts'

/** Stores values that fit no schema of a number, as a deployment does whose schema allows more. */
export async function storeUnfit(scene: Scene, name: string, ids: readonly string[]): Promise<void> {
  const old = await scene.open()
  await old.collection({ name, schema: z.any(), load: () => 'text' }).getMany(ids)
}
