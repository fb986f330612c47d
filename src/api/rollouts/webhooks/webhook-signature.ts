import { createHmac, randomBytes } from 'node:crypto';

/** Secrets of Standard Webhooks (standardwebhooks.com, spec 1.0): this prefix and base64 of 24 to 64 bytes. */
const PREFIX = 'whsec_';
const SECRET_BYTES = 32;
const [LEAST, MOST] = [24, 64];

export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

export function isSecret(text: string): boolean {
  const encoded = text.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  return text.startsWith(PREFIX) && bytes.length >= LEAST && bytes.length <= MOST && bytes.toString('base64') === encoded;
}

/** The header fields by which a receiver knows who sent a message, and that it is fresh and whole. */
export function signatureHeaders(secret: string, { id, body, atMs }: { id: string; body: string; atMs: number }): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signature = createHmac('sha256', Buffer.from(secret.slice(PREFIX.length), 'base64')).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
