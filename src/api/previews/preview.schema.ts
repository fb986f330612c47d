import { z } from 'zod';

/** Whether versions of an app answer on hosts of their own. */
export const PreviewAccess = z.enum(['open', 'closed']).describe('open: whoever reaches the host. closed: nobody.');
export type PreviewAccess = z.infer<typeof PreviewAccess>;

export const PreviewSettings = z.strictObject({ access: PreviewAccess });
export type PreviewSettings = z.infer<typeof PreviewSettings>;
