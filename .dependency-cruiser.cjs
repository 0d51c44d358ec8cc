/**
 * The floors: imports point down only. A rule for each floor names what it may not reach.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const FLOORS = [
  ['foundation', []],
  ['contract', ['foundation']],
  ['codec', ['foundation', 'contract']],
  ['backend', ['foundation', 'contract', 'codec']],
  ['memory', ['foundation', 'contract', 'codec', 'backend']],
  ['null', ['foundation', 'contract', 'backend']],
  ['redis', ['foundation', 'contract', 'backend']],
  ['cache', ['foundation', 'contract', 'codec', 'backend', 'memory', 'redis']],
  ['testing', ['foundation', 'contract', 'codec', 'backend', 'memory']],
]

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-dev-dep',
      comment: 'What ships may import only dependencies and optional peers.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer', 'npm-optional', 'type-only'] },
    },
    {
      name: 'client-stays-in-its-adapter',
      comment: 'Only the adapters of @redis/client may know it; the ioredis door must not load it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/redis/(node-redis-[a-z-]+|sentinel-locator)\\.ts$' },
      to: { path: 'node_modules/@redis/client' },
    },
    ...FLOORS.map(([floor, below]) => ({
      name: `floor-${floor}`,
      comment:
        below.length === 0 ? `${floor} imports nothing of ours` : `${floor} may import ${below.join(', ')}`,
      severity: 'error',
      from: { path: `^src/${floor}/` },
      to: { path: '^src/', pathNot: `^src/(${[floor, ...below].join('|')})/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
  },
}
