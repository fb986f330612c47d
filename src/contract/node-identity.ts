import { z } from 'zod';
import { NodeName } from './ids.js';

/**
 * Who a node is, as certificates say it: the one URI among the subject's alternative names. Host names play no part: the platform's CA signs
 * for nodes and control planes alone, whatever addresses they have (as SPIFFE IDs do).
 */
export const CONTROL_PLANE_URI = 'whorl://control-plane';
const NODE_URI = 'whorl://node/';

/** `whorl://node/<name>` */
export const nodeUri = (name: string): string => NODE_URI + name;

/** The name of a node, out of its URI; undefined when it is none. */
export function nodeOfUri(uri: string): NodeName | undefined {
  return uri.startsWith(NODE_URI) ? NodeName.safeParse(uri.slice(NODE_URI.length)).data : undefined;
}

/** SHA-256 of a public key's SubjectPublicKeyInfo (DER), as base64url: the name of a key. */
export const KeyHash = z.string().regex(/^[A-Za-z0-9_-]{43}$/).brand<'KeyHash'>();
export type KeyHash = z.infer<typeof KeyHash>;

/** A removed node, by its key: its certificates count for nothing, however long they would be valid. */
export const DeniedNode = z.object({ node: NodeName, key: KeyHash });
export type DeniedNode = z.infer<typeof DeniedNode>;

/**
 * What a process of a node needs to speak to other nodes as this node, and to judge them. Handed from the agent to the gateway's process
 * at its start and after each change. Holds the node's private key: never for a process that runs guests, never for a log.
 */
export const NodeCredentials = z.object({
  node: NodeName,
  /** PKCS #8, PEM. */
  key: z.string(),
  /** The node's certificate, and the ones between it and a CA that others may know, PEM. For both sides of a connection. */
  certificate: z.string(),
  /** Certificates of the CAs that count at the moment, PEM. */
  authorities: z.array(z.string()).min(1),
  denied: z.array(DeniedNode),
});
export type NodeCredentials = z.infer<typeof NodeCredentials>;
