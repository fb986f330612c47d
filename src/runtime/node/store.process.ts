import type { StoreOperation } from '#contract/store-request.js';
import { closeSqlProcesses } from '#runtime/capability/sqlite/sql-processes.js';
import { perform, type Workplace } from './store-operations.js';

/**
 * A process that looks into stores for the supervisor, so that neither a client library nor what is in a store can hold it up or take it
 * down. Statements run in a process of their own below it.
 */

/** What the supervisor sends; it answers `{ id, answer }`. */
export interface StoreJob extends Workplace {
  id: string;
  operation: StoreOperation;
}

process.on('message', ({ id, operation, ...place }: StoreJob) => {
  void perform(operation, place).then((answer) => process.send?.({ id, answer }));
});
process.on('disconnect', () => {
  closeSqlProcesses();
  process.exit();
});
