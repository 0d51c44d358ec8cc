import { Command } from 'commander'
import { startStandalone } from '../testbed/redis-standalone.ts'
import { benchMemory } from './backend/memory.ts'
import { benchRemoval } from './backend/removal.ts'
import { benchSpeed } from './backend/speed.ts'
import { benchLocalHit } from './cache/local-hit.ts'
import { benchPolicies } from './cache/policies.ts'
import { benchTags } from './cache/tags.ts'

const program = new Command('bench')
  .description(
    'Measures cachewright against hand-written code, in one process run, on a redis-server of its own.',
  )
  .showHelpAfterError()

program
  .command('backend', { isDefault: true })
  .description('reads, writes, removal and memory of the Redis backend')
  .option('--rounds <n>', 'interleaved rounds that count', Number, 7)
  .option('--only <part>', 'speed, removal or memory')
  .action(async ({ only, rounds }: { readonly only?: string; readonly rounds: number }) => {
    const redis = await startStandalone({ args: ['--slowlog-log-slower-than', '5000'] })
    try {
      let met = true
      if (only === undefined || only === 'speed') met = (await benchSpeed(redis.url, rounds)) && met
      if (only === undefined || only === 'removal') met = (await benchRemoval(redis.url)) && met
      if (only === undefined || only === 'memory') met = (await benchMemory(redis.url)) && met
      if (!met) process.exitCode = 1
    } finally {
      await redis.stop()
    }
  })

program
  .command('cache')
  .description('local hits and tag invalidation of the read-through cache')
  .option('--rounds <n>', 'interleaved rounds that count', Number, 7)
  .option('--only <part>', 'local-hit or tags')
  .action(async ({ only, rounds }: { readonly only?: string; readonly rounds: number }) => {
    const redis = await startStandalone()
    try {
      let met = true
      if (only === undefined || only === 'local-hit') met = (await benchLocalHit(redis.url, rounds)) && met
      if (only === undefined || only === 'tags') met = (await benchTags(redis.url, rounds)) && met
      if (!met) process.exitCode = 1
    } finally {
      await redis.stop()
    }
  })

program
  .command('policies')
  .description('what policies cost a local hit')
  .option('--rounds <n>', 'interleaved rounds that count', Number, 7)
  .action(async ({ rounds }: { readonly rounds: number }) => {
    const redis = await startStandalone()
    try {
      if (!(await benchPolicies(redis.url, rounds))) process.exitCode = 1
    } finally {
      await redis.stop()
    }
  })

await program.parseAsync()
