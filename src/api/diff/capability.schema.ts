import { z } from 'zod';
import { CapabilitySet } from '#contract/capability-sets.js';

/** Something that an app asks of the platform. */
export const Capability = z.object({
  kind: z.enum(['interface', 'outbound-host', 'key-value-store', 'sqlite-database', 'ai-model', 'inherited']),
  name: z.string().describe('As in the manifest; of an interface without its version; of what a dependency inherits, the set.'),
  group: CapabilitySet.optional().describe('Of an interface: what is used through it. Absent: nothing that anybody grants, such as a clock.'),
  dependency: z.string().optional().describe('Which dependency inherits it, after those that lead to it.'),
  components: z.array(z.string()).describe('Components that ask for it.'),
});
export type Capability = z.infer<typeof Capability>;
