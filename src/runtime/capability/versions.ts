import type { Capability } from './capability.js';

/** Release candidates of WASI that Spin links beside the releases: apps made with their tools are still around. */
export const RC_2023_10_18 = '0.2.0-rc-2023-10-18';
export const RC_2023_11_10 = '0.2.0-rc-2023-11-10';
export const RC_2026_03_15 = '0.3.0-rc-2026-03-15';

/** What has not changed since the first of them. */
export const SINCE_2023_10_18 = [RC_2023_10_18, RC_2023_11_10, '0.2'] as const;
export const SINCE_2023_11_10 = [RC_2023_11_10, '0.2'] as const;
/** The candidate of 0.3 became the release as it was. */
export const SINCE_2026_03_15 = [RC_2026_03_15, '0.3'] as const;

/** One interface that is the same at several versions. */
export const atVersions = (versions: readonly string[], name: string, functions: Capability['functions']): Capability[] =>
  versions.map((version) => ({ name, version, functions }));
