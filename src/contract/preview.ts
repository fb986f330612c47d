import { z } from 'zod';
import { Assignment } from './assignment.js';

/**
 * What a node needs to answer for a version by itself (`v<number>--<app>`): an assignment of a lane of that name, with the values that `production`
 * has now. null: there is no such version, or its bytes are gone.
 */
export const PreviewAnswer = z.object({ preview: Assignment.nullable() });
export type PreviewAnswer = z.infer<typeof PreviewAnswer>;
