/** Topics of the wake-ups (platform/wakeups.ts): who changes one of these in a transaction notifies it. */

/** What nodes should hold. */
export const ASSIGNMENTS_TOPIC = 'assignments';
/** What nodes say. */
export const REPORTS_TOPIC = 'reports';
/** The rollouts of an app. */
export const appTopic = (appId: string): string => `app:${appId}`;
/** The log lines of an app. */
export const logsTopic = (appId: string): string => `logs:${appId}`;
