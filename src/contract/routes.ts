import { z } from 'zod';
import { AppName, ChannelName, NodeName } from './ids.js';
import { GatewayAddress } from './node-facts.js';

/**
 * Which nodes answer for which hosts: what the control plane tells the gateway of each node, so that any node answers for any app. Facts for
 * finding an answer, never orders: a node serves what it is assigned, whatever stands here.
 */

/** Where the gateway of a node is. Of one that is `lost` nothing was heard lately: it is asked when nobody else is left. */
export const RouteNode = z.object({ node: NodeName, gateway: GatewayAddress, state: z.enum(['live', 'lost']) });
export type RouteNode = z.infer<typeof RouteNode>;

/** A node that has switched to a generation of a channel. One that is `leaving` is to let go of it: it is asked when no other is there. */
export const RouteReplica = z.object({ node: NodeName, generation: z.int().positive(), leaving: z.boolean().optional() });
export type RouteReplica = z.infer<typeof RouteReplica>;

/** One channel of one app. Without replicas it is nowhere at the moment, and comes where it is wanted. */
export const Route = z.object({
  app: AppName,
  channel: ChannelName,
  /** Of its deployment, as it is desired: grows with each change. */
  generation: z.int().nonnegative(),
  /** Lower case, without a port. */
  hosts: z.array(z.string()),
  /** False: nothing is deployed on it. */
  isServed: z.boolean(),
  replicas: z.array(RouteReplica),
});
export type Route = z.infer<typeof Route>;

export const GoneRoute = z.object({ app: AppName, channel: ChannelName, generation: z.int().nonnegative() });
export type GoneRoute = z.infer<typeof GoneRoute>;

/**
 * What has changed of the table since the revision that the gateway holds; `isWhole`: all there is. `revision` is opaque. What is not named
 * stays as it is, in a whole table too: a control plane that has lost its memory makes nobody unreachable. `gone`: deleted for good, up to
 * this generation.
 */
export const RouteChanges = z.object({ revision: z.string(), isWhole: z.boolean(), nodes: z.array(RouteNode), routes: z.array(Route), gone: z.array(GoneRoute) });
export type RouteChanges = z.infer<typeof RouteChanges>;

/** A channel that somebody asked a node for, and that is on no node. */
export const WantedChannel = z.object({ app: AppName, channel: ChannelName });
export type WantedChannel = z.infer<typeof WantedChannel>;
