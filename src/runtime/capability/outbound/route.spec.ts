import { describe, expect, it } from '@jest/globals';
import { Fields } from '../http/fields.js';
import { OutboundPolicy } from './outbound-policy.js';
import { routeOf } from './route.js';

const route = (scheme: string | null, authority: string | null, allowed: string[], components: string[] = []) =>
  routeOf({ method: 'GET', scheme, authority, pathWithQuery: '/', headers: new Fields(), options: null, drop: () => undefined }, OutboundPolicy.parse(allowed), components);

describe(routeOf.name, () => {
  it('takes https when no scheme is given', () => {
    expect(route(null, 'example.com', ['https://example.com'])).toEqual({ to: 'network', origin: 'https://example.com' });
  });

  it('brings odd spellings of addresses into one form before it asks the policy', () => {
    for (const host of ['127.1', '0x7f.1', '2130706433', '0177.0.0.1', '127.0.0.1']) {
      expect(route('http', host, ['http://127.0.0.1'])).toEqual({ to: 'network', origin: 'http://127.0.0.1' });
      expect(route('http', host, ['http://8.8.8.8'])).toMatchObject({ to: 'nowhere', code: { tag: 'HTTP-request-denied' } });
    }
  });

  it('sends requests without an authority, and to self.alt, to the app itself when that is allowed', () => {
    expect(route(null, null, ['http://self'])).toEqual({ to: 'self' });
    expect(route('http', 'self.alt', ['http://self'])).toEqual({ to: 'self' });
    expect(route('http', 'SELF.ALT:80', ['http://*:*'])).toEqual({ to: 'self' });
    expect(route('http', null, ['http://example.com'])).toMatchObject({ to: 'nowhere', code: { tag: 'HTTP-request-denied' } });
  });

  it('finds a component behind <id>.spin.internal', () => {
    expect(route('http', 'back.spin.internal', ['http://*.spin.internal'], ['back'])).toEqual({ to: 'component', id: 'back' });
    expect(route('http', 'back.spin.internal', ['http://other.spin.internal'], ['back'])).toMatchObject({ code: { tag: 'HTTP-request-denied' } });
    expect(route('http', 'gone.spin.internal', ['http://gone.spin.internal'], ['back'])).toMatchObject({ code: { tag: 'destination-not-found' } });
  });

  it('takes *.spin.internal for the components that there are, and nothing else', () => {
    expect(route('http', 'gone.spin.internal', ['http://*.spin.internal'], ['back'])).toMatchObject({ code: { tag: 'HTTP-request-denied' } });
    expect(route('http', 'a.back.spin.internal', ['http://*.spin.internal'], ['back'])).toMatchObject({ code: { tag: 'HTTP-request-denied' } });
    expect(route('http', 'Back.spin.internal', ['http://*.spin.internal'], ['bAck'])).toEqual({ to: 'component', id: 'bAck' });
    expect(route('https', 'back.spin.internal', ['http://*.spin.internal'], ['back'])).toMatchObject({ code: { tag: 'HTTP-request-denied' } });
  });

  it('refuses what is no HTTP origin', () => {
    expect(route('ftp', 'example.com', ['http://*:*'])).toMatchObject({ code: { tag: 'HTTP-request-denied' } });
    expect(route('ftp', 'example.com', ['*://*:*'])).toMatchObject({ code: { tag: 'HTTP-protocol-error' } });
    expect(route('http', 'example.com:99999', ['*://*:*'])).toMatchObject({ code: { tag: 'HTTP-request-URI-invalid' } });
    expect(route('http', 'user@example.com', ['*://*:*'])).toMatchObject({ code: { tag: 'HTTP-request-URI-invalid' } });
    expect(route('http', 'a b', ['*://*:*'])).toMatchObject({ code: { tag: 'HTTP-request-URI-invalid' } });
  });

  it('names the destination as the manifest would', () => {
    expect(route('http', 'localhost:1234', [])).toMatchObject({ destination: 'http://localhost:1234' });
  });
});
