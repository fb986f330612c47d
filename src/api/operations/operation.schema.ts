import { z } from 'zod';
import { Problem } from '#contract/errors.js';
import { AppName } from '#contract/ids.js';
import { PageQuery } from '#platform/http/page.js';
import { OPERATION_KINDS, OPERATION_STATES } from './operation.js';

const MAX_WAIT_S = 300;

export const OperationParams = z.object({ operation: z.coerce.number().pipe(z.int().min(1)).describe('Number of the operation.') });

export const OperationQuery = z.object({ wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait until it has ended.') });

export const OperationsQuery = PageQuery.extend({
  app: AppName.optional().describe('Those of one app.'),
  kind: z.enum(OPERATION_KINDS).optional(),
  state: z.enum(OPERATION_STATES).optional(),
});
export type OperationsQuery = z.infer<typeof OperationsQuery>;

export const OperationView = z.object({
  id: z.int(),
  kind: z.enum(OPERATION_KINDS).describe('deploy: of a push. collect: deletes what nobody needs. rebuild: of versions for another engine. The others are what their names say.'),
  target: z.record(z.string(), z.union([z.string(), z.number()])).describe('What it acts on: `app`, `channel` and `version`, or `node`.'),
  state: z.enum(OPERATION_STATES).describe('cancelled: somebody, or a later one, has ended it.'),
  steps: z.array(z.object({
    name: z.string(),
    startedAt: z.iso.datetime(),
    endedAt: z.iso.datetime().nullable().describe('null: it is under way.'),
    detail: z.string().nullable(),
  })).describe('What it has come to, in order.'),
  waitsFor: z.string().nullable().describe('What somebody has to do so that it goes on; null: nothing.'),
  rollout: z.int().nullable().describe('The rollout that it is, which has more details; null: it is none.'),
  collection: z.uuid().nullable().describe('The collection that it is.'),
  result: z.record(z.string(), z.json()).nullable().describe('What came of it, when it has succeeded.'),
  error: Problem.nullable().describe('Why it has not.'),
  cancelAsked: z.object({ by: z.string(), at: z.iso.datetime() }).nullable().describe('Somebody wants it to end, and it is going to.'),
  causedBy: z.string().describe('Name of the token.'),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  revision: z.string().describe('Another one after each change: the entity tag, and the id of an event.'),
});
export type OperationView = z.infer<typeof OperationView>;
