/**
 * The floors, bottom up: what each may import. Imports point down only.
 */
const FLOORS = {
  foundation: [],
  contract: ['foundation'],
  codec: ['foundation', 'contract'],
  backend: ['foundation', 'contract', 'codec'],
  memory: ['foundation', 'contract', 'codec', 'backend'],
  null: ['foundation', 'contract', 'backend'],
  redis: ['foundation', 'contract', 'backend'],
  cache: ['foundation', 'contract', 'codec', 'backend', 'memory', 'redis'],
  testing: ['foundation', 'contract', 'codec', 'backend', 'memory'],
}

/**
 * The rooms of the large floors, bottom up: which other rooms of the same floor each may import. Files at the root of
 * a floor are its doors: they may import every room, and no room imports them.
 */
const ROOMS = {
  foundation: {
    errors: [],
    time: ['errors'],
  },
  codec: {
    refusals: [],
    envelope: ['refusals'],
    msgpack: ['refusals'],
    pickle: ['refusals'],
    v8: ['refusals'],
    serializers: ['refusals', 'msgpack', 'pickle', 'v8'],
    structures: ['envelope', 'msgpack'],
  },
  backend: {
    seams: [],
    assembly: ['seams'],
    operations: ['seams', 'assembly'],
  },
  redis: {
    port: [],
    slots: ['port'],
    scripts: ['port'],
    coherence: ['port'],
    store: ['port', 'slots', 'scripts', 'coherence'],
    'node-redis': ['port', 'slots'],
    cluster: ['port', 'slots', 'node-redis'],
    ioredis: ['port', 'slots'],
  },
  cache: {
    keys: [],
    changes: [],
    freshness: [],
    tags: ['keys'],
    outage: [],
    local: ['keys', 'freshness', 'tags'],
    entries: ['keys', 'freshness', 'tags', 'local'],
    inheritance: ['tags', 'local'],
    core: ['keys', 'changes', 'freshness', 'tags', 'outage', 'local', 'entries', 'inheritance'],
    loading: ['keys', 'freshness', 'tags', 'local', 'entries', 'inheritance', 'core'],
    memoize: ['keys', 'freshness', 'loading'],
    writing: ['keys', 'changes', 'freshness', 'core'],
    holding: ['keys', 'freshness', 'local', 'core', 'loading', 'writing'],
    flights: ['keys', 'freshness', 'tags', 'local', 'entries', 'inheritance', 'core', 'loading', 'holding'],
    monitoring: ['outage', 'local', 'core', 'loading', 'flights'],
    explain: ['keys', 'freshness', 'tags', 'outage', 'local', 'entries', 'core', 'loading', 'flights'],
    reading: [
      ...['keys', 'freshness', 'local', 'entries', 'inheritance', 'core'],
      ...['loading', 'flights', 'monitoring'],
    ],
    batches: ['freshness', 'core', 'loading', 'reading'],
    reserving: [
      ...['keys', 'freshness', 'tags', 'local', 'entries', 'inheritance', 'core'],
      ...['loading', 'flights', 'writing', 'reading'],
    ],
    collections: [
      ...['keys', 'freshness', 'local', 'core', 'loading', 'writing'],
      ...['explain', 'reading', 'batches'],
    ],
  },
  testing: {
    contract: [],
    faults: [],
    simulated: ['faults'],
  },
}

const floorRules = Object.entries(FLOORS).map(([floor, below]) => ({
  name: `floor-${floor}`,
  comment:
    below.length === 0 ? `${floor} imports nothing of ours` : `${floor} may import ${below.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${floor}/` },
  to: { path: '^src/', pathNot: `^src/(${[floor, ...below].join('|')})/` },
}))

const roomRules = Object.entries(ROOMS).flatMap(([floor, rooms]) => [
  ...Object.entries(rooms).map(([room, below]) => ({
    name: `room-${floor}-${room}`,
    comment: `${floor}/${room} may import ${below.length === 0 ? 'no other room' : below.join(', ')}`,
    severity: 'error',
    from: { path: `^src/${floor}/${room}/` },
    to: { path: `^src/${floor}/`, pathNot: `^src/${floor}/(${[room, ...below].join('|')})/` },
  })),
  {
    name: `rooms-of-${floor}`,
    comment: `Every folder of ${floor} has to stand in the table of rooms.`,
    severity: 'error',
    from: { path: `^src/${floor}/[^/]+/`, pathNot: `^src/${floor}/(${Object.keys(rooms).join('|')})/` },
    to: {},
  },
])

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'not-to-dev-dep',
      comment: 'What ships may import only dependencies and optional peers.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer', 'npm-optional', 'type-only'] },
    },
    {
      name: 'client-stays-in-its-rooms',
      comment: 'Only node-redis/ and cluster/ may know @redis/client.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/redis/(node-redis|cluster)/' },
      to: { path: 'node_modules/@redis/client' },
    },
    {
      name: 'ioredis-loads-no-other-client',
      comment: 'The ioredis door must not load @redis/client.',
      severity: 'error',
      from: { path: '^src/redis/(ioredis/|ioredis-cache-backend)' },
      to: { path: '^src/redis/(node-redis|cluster)/' },
    },
    ...floorRules,
    ...roomRules,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
  },
}
