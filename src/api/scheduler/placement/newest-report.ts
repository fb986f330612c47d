import type { Holdings } from './placement.js';

/** What a node said, and when it said it by its own counting. */
export interface NodeStatement {
  /** Counts the node's starts; the node keeps it on disk. */
  start: number;
  /** Counts its reports since that start. */
  sequence: number;
  holdings: Holdings;
}

/** The later of two statements of one node, whatever the order in which they came: those that are lost, doubled or late do no harm. */
export function newestReport(known: NodeStatement | undefined, come: NodeStatement): NodeStatement {
  if (!known || come.start > known.start || (come.start === known.start && come.sequence > known.sequence)) return come;
  return known;
}
