import { createHash } from 'node:crypto';

/** Where stores whose places are shared with the pairs keep what they remember of operations: no text of a guest begins so by chance. */
export const OPERATION_PREFIX = '\0whorl:operation:';

export const isOperationKey = (key: string): boolean => key.startsWith(OPERATION_PREFIX);

/** Of one length, whatever the key's is. */
export const operationKey = (key: string, operation: string): string =>
  OPERATION_PREFIX + createHash('sha256').update(JSON.stringify([key, operation])).digest('base64url');
