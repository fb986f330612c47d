// The flow as data (ARCHITECTURE.md): what may import what. Changing a rule here is a reviewed change with an ADR.
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: `^src/${from}` },
  to: { path: '^src/', pathNot: allowed.map((path) => `^src/${path}`) },
});

/** Stages of the runtime, in the order of the flow: each may import what stands to its right. */
const RUNTIME = ['node', 'gateway', 'trigger', 'component', 'capability', 'meter'];
/** Stages of the registry likewise: `client` and `artifact` are where images come from, `repositories` what was pushed by OCI. */
const REGISTRY = ['http', 'collect', 'service', 'trust', 'client', 'artifact', 'repositories', 'storage'];
const rightward = (root, stages, extra) =>
  stages.map((stage, i) => only(`${root}-${stage}-rightward`, `${root}/${stage}/`, [...stages.slice(i).map((s) => `${root}/${s}/`), ...extra]));

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { pathNot: '^src/platform/prisma/generated/' }, to: { circular: true } },
    { name: 'no-orphan-imports', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^src/platform/prisma/generated' } },
    only('contract-is-pure', 'contract/', ['contract/']),
    only('platform-owns-no-stage', 'platform/', ['platform/', 'contract/']),
    only('engine-stands-alone', 'engine/', ['engine/']),
    only('engine-build-not-run', 'engine/build/', ['engine/build/', 'engine/plan\\.ts']),
    only('engine-run-not-build', 'engine/run/', ['engine/run/', 'engine/plan\\.ts']),
    ...rightward('registry', REGISTRY, ['contract/', 'platform/', 'engine/build/', 'engine/plan\\.ts']),
    only('api-apart', 'api/', ['api/', 'contract/', 'platform/']),
    ...rightward('runtime', RUNTIME, ['contract/', 'platform/', 'engine/run/', 'engine/plan\\.ts']),
    {
      name: 'only-repositories-touch-prisma', severity: 'error',
      from: { path: '^src/', pathNot: ['\\.repository\\.ts$', '^src/platform/prisma/', '^src/bin/'] },
      to: { path: '^src/platform/prisma/generated|@prisma/' },
    },
    {
      name: 'repositories-are-private', severity: 'error',
      from: { path: '^src/api/([^/]+)/' },
      to: { path: '^src/api/([^/]+)/.*\\.repository\\.ts$', pathNot: '^src/api/$1/' },
    },
    {
      name: 'scheduler-imports-no-feature', severity: 'error',
      from: { path: '^src/api/scheduler/', pathNot: '\\.(module|service|controller|repository)\\.ts$' },
      to: { path: '^src/api/', pathNot: '^src/api/scheduler/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.test.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'node_modules|\\.spec\\.ts$' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.mjs'] },
  },
};
