import { z } from 'zod';

/** How answers to copies of requests are compared; `[application.tool.whorl.shadow]` of a manifest in snake case. */
export const ShadowSettings = z.strictObject({
  ignoredFields: z
    .array(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, 'expected the name of a header field').toLowerCase())
    .max(64)
    .default([])
    .describe('Header fields of answers that may differ. `date`, `content-length` and the values of cookies always may.'),
  maxDifferent: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('The share of answers that may differ: with more of them the version is rolled back, and before `analysis.minRequests` are compared it does not pass. Without it answers are compared and told of alone.'),
});
export type ShadowSettings = z.infer<typeof ShadowSettings>;

export const NO_SHADOW_SETTINGS: ShadowSettings = { ignoredFields: [] };
