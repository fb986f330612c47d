import { describe, expect, it } from '@jest/globals';
import { canonicalHost, OutboundPolicy } from './outbound-policy.js';

/** `http://host:port` as a destination; no port: that of the scheme. */
function allows(entry: string | string[], target: string): boolean {
  const [, scheme, host, port] = /^(\w+):\/\/(\[.*\]|[^:]*)(?::(\d+))?$/.exec(target)!;
  return OutboundPolicy.parse([entry].flat()).allows({ scheme: scheme!, host: canonicalHost(host!), port: port === undefined ? null : Number(port) });
}

describe(OutboundPolicy.name, () => {
  it.each([
    ['http://example.com', 'http://example.com', true],
    ['http://example.com', 'http://example.com:80', true],
    ['http://example.com', 'http://example.com:81', false],
    ['http://example.com', 'https://example.com', false],
    ['http://example.com', 'https://example.com:80', false],
    ['https://example.com', 'https://example.com', true],
    ['https://example.com/', 'https://example.com', true],
    ['https://example.com:8443/', 'https://example.com:8443', true],
    ['http://Example.COM', 'http://example.com', true],
    ['http://example.com', 'http://EXAMPLE.com.', true],
    ['http://example.com', 'http://sub.example.com', false],
    ['http://example.com', 'http://notexample.com', false],
    ['*://example.com:443', 'https://example.com', true],
    ['*://example.com:443', 'redis://example.com:443', true],
    ['*://example.com:443', 'redis://example.com', false],
    ['redis://cache', 'redis://cache', true],
    ['redis://cache', 'redis://cache:6379', true],
    ['postgres://db:*', 'postgres://db:1', true],
    ['http://*', 'http://anything.example', true],
    ['http://*', 'http://anything.example:8080', false],
    ['http://*:*', 'http://anything.example:8080', true],
    ['*://*:*', 'mqtt://anything', true],
    ['*://*:*', 'unknown://anything', true],
    ['*://*:80', 'unknown://anything', false],
    ['http://localhost:3000..3005', 'http://localhost:3000', true],
    ['http://localhost:3000..3005', 'http://localhost:3004', true],
    ['http://localhost:3000..3005', 'http://localhost:3005', false],
    ['http://*.example.com', 'http://a.example.com', true],
    ['http://*.example.com', 'http://a.b.example.com', true],
    ['http://*.example.com', 'http://example.com', false],
    ['http://*.example.com', 'http://badexample.com', false],
    ['http://*.EXAMPLE.com', 'http://a.example.com', true],
    ['*://10.0.0.0/8:443', 'https://10.255.0.1', true],
    ['*://10.0.0.0/8:443', 'https://11.0.0.1', false],
    ['*://10.0.0.0/8:443', 'https://ten.example', false],
    ['*://10.1.2.3/8:*', 'http://10.9.9.9', true],
    ['http://127.0.0.0/24:8080', 'http://127.0.0.9:8080', true],
    ['http://127.0.0.0/24:8080', 'http://127.0.1.9:8080', false],
    ['*://ff00::/8:80', 'http://[ff02::1]', true],
    ['*://[ff00::]/8:80', 'http://[ff02::1]', true],
    ['*://ff00::/8:80', 'http://[fe80::1]', false],
    ['*://0.0.0.0/0:80', 'http://[::1]', false],
    ['http://[::1]:8080', 'http://[::1]:8080', true],
    ['http://[::1]', 'http://[0:0:0:0:0:0:0:1]', true],
    ['http://127.0.0.1', 'http://127.0.0.1', true],
    ['http://*.spin.internal', 'http://back.spin.internal', false],
    ['http://127.1', 'http://127.0.0.1', true],
    ['http://127.0.0.1', 'http://0x7f.1', true],
    ['redis://127.0.0.1', 'redis://2130706433', true],
    ['http://ff00::/8', 'http://[ff02::1]', true],
    ['http://bücher.example', 'http://xn--bcher-kva.example', true],
    ['http://xn--bcher-kva.example', 'http://bücher.example', true],
    ['http://example.com/:8080', 'http://example.com:8080', true],
    ['http://example.com:', 'http://example.com', true],
    ['http://10.0.0.0/8:80/', 'http://10.1.2.3', true],
    ['*://10.0.0.0/8:*', 'http://[::ffff:10.0.0.1]', false],
    ['HTTP://example.com:80', 'http://example.com', false],
    ['http://SELF', 'http://self', true],
    ['tcp://127.0.0.1:7', 'tcp://127.0.0.1:7', true],
    ['tcp://127.0.0.1:7', 'udp://127.0.0.1:7', false],
    ['http://localhost:3005..3000', 'http://localhost:3001', false],
    ['http://back.spin.internal', 'http://back.spin.internal', true],
    ['http://back.spin.internal', 'http://front.spin.internal', false],
    ['http://self', 'http://self', false],
    ['', 'http://example.com', false],
  ])('%s with %s: %s', (entry, target, expected) => {
    expect(allows(entry, target)).toBe(expected);
    expect(allows(['http://other.example', entry], target)).toBe(expected);
  });

  it('allows nothing without entries', () => {
    expect(allows([], 'http://example.com')).toBe(false);
    expect(OutboundPolicy.parse([]).allowsSelf()).toBe(false);
  });

  it.each([
    ['http://self', true],
    ['https://self', true],
    ['*://self:80', true],
    ['http://self.alt', true],
    ['http://*:*', true],
    ['https://*', true],
    ['redis://*', false],
    ['redis://self', false],
    ['http://example.com', false],
    ['http://*.example.com', false],
    ['http://SELF', false],
    ['http://self/', false],
    ['http://*.spin.internal', false],
  ])('lets %s reach the app itself: %s', (entry, expected) => {
    expect(OutboundPolicy.parse([entry]).allowsSelf()).toBe(expected);
  });

  it.each([
    ['example.com', 'has no scheme'],
    ['*', 'has no scheme'],
    ['insecure:allow-all', 'is not allowed'],
    ['{http,https}://example.com', 'lists schemes'],
    ['ht-tp://example.com', 'not alphabetic'],
    ['http://{a,b}.com', 'lists hosts'],
    ['http://a.*.com', 'no whole subdomain'],
    ['http://*.*.com', 'another place'],
    ['http://exa*mple.com', 'no whole subdomain'],
    ['*://example.com', 'has no port'],
    ['*://*', 'has no port'],
    ['ftp://example.com', 'has no port'],
    ['http://example.com/path', 'has a path'],
    ['http://example.com:80/path', 'has a path'],
    ['http://example.com:http', 'not a number'],
    ['http://example.com:1..x', 'not a number'],
    ['http://example.com:70000', 'above 65535'],
    ['http://example.com:{1,2}', 'lists ports'],
    ['http://user@example.com', 'no host has'],
    ['http://10.0.0.0/33:80', 'not 0 to 32'],
    ['http://:80', 'has no host'],
    ['http:///', 'has no host'],
    ['http://*/', 'no whole subdomain'],
    ['http://10.0.0.0/8/', 'has a path'],
    ['http://*.127.0.0.1', 'in front of an address'],
    ['http://localhost:1..65536', 'above 65535'],
    ['HTTP://example.com', 'has no port'],
  ])('refuses %s and says that it %s', (entry, reason) => {
    const policy = OutboundPolicy.parse([entry]);
    expect(policy.invalid).toEqual([{ entry, reason: expect.stringContaining(reason) }]);
    expect(policy.allows({ scheme: 'http', host: 'example.com', port: null })).toBe(false);
    expect(policy.allowsSelf()).toBe(false);
  });

  it('skips what a template over empty variables leaves', () => {
    expect(OutboundPolicy.parse(['', 'http://', 'https://']).invalid).toEqual([]);
  });
});
