import type { Capability } from '../capability.js';

/** Types that `fermyon:spin/postgres` and `fermyon:spin/mysql` share: a component that uses them imports the interface, which has no functions. */
export const RDBMS_TYPES: readonly Capability[] = [null, '2.0.0'].map((version) => ({ name: 'fermyon:spin/rdbms-types', version, functions: {} }));
