// Jest in ESM mode (NestJS 12 is ESM): run with NODE_OPTIONS=--experimental-vm-modules.
const swc = ['@swc/jest', {
  jsc: {
    target: 'es2024',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
  module: { type: 'es6' },
}];

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^#(contract|platform|registry|api|runtime|engine)/(.*)\\.js$': '<rootDir>/src/$1/$2.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: { '^.+\\.ts$': swc },
  // What is imported in ESM mode stays in a worker for good: after so much it begins anew, instead of collecting garbage in vain.
  workerIdleMemoryLimit: '1200MB',
  testTimeout: 60_000,
};
