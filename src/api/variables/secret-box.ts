import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const FORMAT = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals secret values at rest: AES-256-GCM (NIST SP 800-38D) with a random nonce. `context` says where a value belongs and is
 * authenticated with it, so that a row moved to another app or name does not open.
 */
export class SecretBox {
  /** `key`: 32 bytes. */
  constructor(private readonly key: Uint8Array) {}

  /** `v1:<base64url of nonce, tag and ciphertext>` */
  seal(value: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
    const ciphertext = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
    return `${FORMAT}:${Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString('base64url')}`;
  }

  /** Throws when the text was not sealed with this key and context. */
  open(sealed: string, context: string): string {
    const [format, payload] = sealed.split(':');
    if (format !== FORMAT || payload === undefined) throw new Error('not a sealed value');
    const bytes = Buffer.from(payload, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
  }
}
