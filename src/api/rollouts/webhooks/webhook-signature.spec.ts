import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isSecret, newSecret, signatureHeaders } from './webhook-signature.js';

describe(signatureHeaders.name, () => {
  it('signs as the example of the specification does', () => {
    // Of the specification's own libraries: id, timestamp, body and secret with their signature.
    const headers = signatureHeaders('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', atMs: 1_614_265_330_999 });
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330', 'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('takes the bytes of the secret, not its text', () => {
    const secret = newSecret();
    const expected = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update('a.1.b').digest('base64');
    expect(signatureHeaders(secret, { id: 'a', body: 'b', atMs: 1_000 })['webhook-signature']).toBe(`v1,${expected}`);
  });
});

describe(isSecret.name, () => {
  it('knows those that it makes, and no others', () => {
    expect(isSecret(newSecret())).toBe(true);
    for (const text of ['', 'whsec_', 'whsec_short', newSecret().slice(6), `${newSecret()}!`, `whsec_${'A'.repeat(92)}`]) expect(isSecret(text)).toBe(false);
  });
});
