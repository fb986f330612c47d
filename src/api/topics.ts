/** Topics of the wake-ups (platform/wakeups.ts): who changes one of these in a transaction notifies it. */

/** What nodes should hold. */
export const ASSIGNMENTS_TOPIC = 'assignments';
/** Stamps of channels and nodes, and where channels are placed (written by triggers, and by the scheduler's leader). */
export const STAMPS_TOPIC = 'stamps';
/** Questions to the scheduler's leader. */
export const PLACEMENT_QUESTIONS_TOPIC = 'placement-questions';
/** The answer to one of these. */
export const placementAnswerTopic = (id: string): string => `placement-answer:${id}`;
/** What nodes say. */
export const REPORTS_TOPIC = 'reports';
/** The rollouts of an app. */
export const appTopic = (appId: string): string => `app:${appId}`;
/** What a node is asked to do with stores. */
export const storeRequestsTopic = (node: string): string => `store-requests:${node}`;
/** The answer to one of these. */
export const storeAnswerTopic = (id: string): string => `store-answer:${id}`;
/** The log lines of an app. */
export const logsTopic = (appId: string): string => `logs:${appId}`;
/** A run of the collector. */
export const collectionTopic = (id: string): string => `collection:${id}`;
/** An operation that is neither a rollout nor a collection. */
export const operationTopic = (id: bigint): string => `operation:${id}`;
/** What nodes believe: the platform's keys, and nodes that were removed. */
export const TRUST_TOPIC = 'trust';
