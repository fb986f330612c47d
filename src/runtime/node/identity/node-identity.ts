import type { NodeName } from '#contract/ids.js';
import type { NodeCredentials } from '#contract/node-identity.js';

/**
 * Who this node is, for whatever on it speaks to other nodes. The agent has it, and hands `credentials` to processes without guest code
 * (the gateway's) at their start and after each change. What to make of them stands in platform/tls/peer.ts: `contextOf` and `toNode` for
 * connections, `peerOf` to learn the name at the other end of one.
 */
export interface NodeIdentity {
  readonly node: NodeName;

  /** undefined until the node has its first certificate: the control plane was not there yet, or is of a release without identities. */
  readonly credentials: NodeCredentials | undefined;

  /**
   * Calls back after each change: a renewed certificate, another set of CAs, a node that was removed. Contexts are then to be replaced for
   * new connections; those that are open go on, except to nodes in `denied`.
   * @returns ends it
   */
  onChange(listener: (credentials: NodeCredentials) => void): () => void;
}
