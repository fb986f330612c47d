import type { Agent } from 'node:http';

export interface Answer { status: number; body: string; at: number; ms: number }
export function load(options: {
  port: number; host: string; path?: string; concurrency: number; total?: number; until?: () => boolean; timeoutMs?: number;
  onResult?: (row: Answer) => void;
}): Promise<Answer[]>;
export function get(options: { agent?: Agent; port: number; host: string; path: string; timeoutMs: number }): Promise<Answer>;
export function percentiles(values: number[]): { p50: number; p99: number; max: number };
