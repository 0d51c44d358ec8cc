/**
 * For bench, runtimes, tests and what they stand on: no cycles. What a bench imports may not be installed yet, so nothing is asked
 * of packages here.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: { pathNot: '^src/' }, to: { circular: true } },
    {
      name: 'tests-are-imported-by-tests',
      comment: 'Nothing but tests may import what stands in tests/.',
      severity: 'error',
      from: { pathNot: '^tests/' },
      to: { path: '^tests/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(bench/build|bench/node_modules|runtimes/node_modules)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
}
