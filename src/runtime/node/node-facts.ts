import { availableParallelism, totalmem } from 'node:os';
import type { NodeCapacity, NodeFacts } from '#contract/node-facts.js';
import type { NodeConfig } from '#platform/config.js';
import { VERSION } from '#platform/version.js';

/** What the agent and each runner take by themselves: Node with Whorl's code and no guest. */
const PROCESS_BYTES = 150 * 1024 * 1024;
/** Apps have at least this part of the memory: on a small machine with many cores most of it would be runners. */
const LEAST_FOR_APPS = 4;

/** The part of what a node says of itself that does not change while it runs. */
export type FixedFacts = Pick<NodeFacts, 'zone' | 'labels' | 'taints' | 'capabilities'> & { capacity: NodeCapacity; platform: string };

/** What the configuration says, and the machine where that says nothing. */
export function fixedFacts(config: NodeConfig, runners: number): FixedFacts {
  return {
    zone: config.WHORL_NODE_ZONE,
    labels: config.WHORL_NODE_LABELS,
    taints: config.WHORL_NODE_TAINTS,
    capabilities: ['http'],
    capacity: {
      memoryBytes: config.WHORL_NODE_MEMORY_BYTES ?? memoryForApps(machineBytes(), runners),
      milliCores: config.WHORL_NODE_MILLICORES ?? availableParallelism() * 1_000,
    },
    platform: VERSION,
  };
}

/** What is left for apps beside the node's own processes. */
export function memoryForApps(totalBytes: number, runners: number): number {
  return Math.floor(Math.max(totalBytes - (runners + 1) * PROCESS_BYTES, totalBytes / LEAST_FOR_APPS));
}

/** Of the machine, or of the container that bounds it. */
function machineBytes(): number {
  const bound = process.constrainedMemory();
  return bound > 0 && bound < totalmem() ? bound : totalmem();
}
