import { z } from 'zod';

/** How placement is kept: plain data of `placement/`. */
const ReplicaRow = z.object({
  node: z.string(),
  generation: z.int(),
  active: z.boolean(),
  leaving: z.boolean(),
  replaces: z.string().nullable(),
  reason: z.string(),
});
export const ChannelPlacementRow = z.object({ generation: z.int(), replicas: z.array(ReplicaRow) });
