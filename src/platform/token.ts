import { createHash, randomBytes } from 'node:crypto';

/**
 * Tokens: `whorl_` + 40 random characters (base62, 238 bits) + 6 of a checksum. The prefix lets scanners find a leaked one; the checksum
 * tells a mistyped one without asking the database. Only the SHA-256 is ever stored.
 */
const PREFIX = 'whorl_';
const RANDOM_LENGTH = 40;
const CHECKSUM_LENGTH = 6;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The largest multiple of the alphabet's size in a byte: above it, a remainder would favour its first characters. */
const FAIR_BELOW = 256 - (256 % ALPHABET.length);

/** Makes a new token. */
export function mintToken(): string {
  let random = '';
  while (random.length < RANDOM_LENGTH) {
    for (const byte of randomBytes(RANDOM_LENGTH)) {
      if (byte < FAIR_BELOW && random.length < RANDOM_LENGTH) random += ALPHABET[byte % ALPHABET.length];
    }
  }
  return PREFIX + random + checksum(random);
}

/** False for a token of ours that was cut or mistyped. Tokens without our prefix (an operator may choose any) are not judged. */
export function isPlausibleToken(token: string): boolean {
  if (!token.startsWith(PREFIX)) return token.length > 0;
  const body = token.slice(PREFIX.length);
  if (body.length !== RANDOM_LENGTH + CHECKSUM_LENGTH) return false;
  return body.slice(RANDOM_LENGTH) === checksum(body.slice(0, RANDOM_LENGTH));
}

/** What is stored of a token. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function checksum(random: string): string {
  let rest = BigInt(`0x${createHash('sha256').update(PREFIX + random).digest('hex').slice(0, 12)}`);
  let text = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text = ALPHABET[Number(rest % BigInt(ALPHABET.length))] + text;
    rest /= BigInt(ALPHABET.length);
  }
  return text;
}
