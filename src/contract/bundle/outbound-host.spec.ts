import { describe, expect, it } from '@jest/globals';
import { checkOutboundHost, convertHttpHost } from './outbound-host.js';

describe(checkOutboundHost.name, () => {
  it.each([
    'https://example.com', 'http://example.com/', 'https://example.com:8443', 'https://example.com:*', 'http://*:*', '*://*:*', 'https://*.example.com',
    'http://self', 'http://self.alt', 'http://*.spin.internal', 'http://front.spin.internal', 'redis://localhost:6379', 'mqtt://broker', 'postgres://db',
    'tcp://127.0.0.1:6000..6010', '*://10.0.0.0/8:443', '*://[::1]:80', '*://ff00::/8:80', '*://[ff00::]/8:80', 'http://127.0.0.1', 'http://redis_cache:80', 'http://bücher.de',
  ])('takes %s', (entry) => expect(checkOutboundHost(entry)).toBeUndefined());

  it.each([
    ['example.com', /expected scheme/], ['://x', /no scheme/], ['{http,https}://x', /no scheme/], ['h2://x:1', /no scheme/],
    ['http://x/path', /path/], ['http://x:80/path', /path/], ['http://', /host is missing/], ['http://:80', /host is missing/],
    ['*://x', /port is needed/], ['tcp://x', /port is needed/], ['http://x:', /no port/], ['http://x:abc', /no port/], ['http://x:70000', /no port/], ['tcp://x:9..3', /no range/],
    ['http://a*b', /"\*"/], ['http://*.*.com', /"\*"/], ['*://10.0.0.0/33:1', /CIDR/], ['http://1.2.3', /IPv4/], ['http://[::zz]:1', /IPv6/], ['http://a..b', /host name/], ['http://-a', /host name/], ['http://u:p@h:1', /no port|path|host/],
  ])('refuses %s', (entry, message) => expect(checkOutboundHost(entry)).toMatch(message));
});

describe(convertHttpHost.name, () => {
  it.each([
    ['example.com', ['http://example.com', 'https://example.com']],
    ['example.com:8080', ['http://example.com:8080', 'https://example.com:8080']],
    ['https://example.com', ['http://example.com', 'https://example.com']],
    ['self', ['http://self']],
    ['insecure:allow-all', ['http://*:*', 'https://*:*', 'http://self']],
  ])('converts %s', (host, hosts) => expect(convertHttpHost(host)).toEqual({ hosts }));
  it.each(['ftp://x', 'a b', 'x/path'])('refuses %s', (host) => expect(convertHttpHost(host)).toHaveProperty('refused'));
});
