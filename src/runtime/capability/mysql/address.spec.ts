import { describe, expect, it } from '@jest/globals';
import { BadAddress, parseMysqlAddress } from './address.js';

describe(parseMysqlAddress.name, () => {
  it('reads URLs', () => {
    expect(parseMysqlAddress('mysql://u%40x:p%3Aw@h:3307/db%20x')).toEqual({ host: 'h', port: 3307, user: 'u@x', password: 'p:w', database: 'db x', tls: false });
    expect(parseMysqlAddress('mysql://[::1]')).toEqual({ host: '::1', port: null, user: '', password: '', database: '', tls: false });
  });

  it('uses TLS when ssl-mode is there and not disabled', () => {
    const tls = (query: string) => parseMysqlAddress(`mysql://u@h/db?${query}`).tls;
    expect(['ssl-mode=required', 'sslMode=VERIFY_CA', 'SsLmOdE=preferred&pool_max=10', 'require_ssl=true'].map(tls)).toEqual([true, true, true, true]);
    expect(['ssl-mode=DISABLED', 'sslmode=disabled', 'pool_max=10', 'require_ssl=false'].map(tls)).toEqual([false, false, false, false]);
  });

  it('refuses other schemes, sockets of the machine and what it does not know', () => {
    for (const bad of ['', 'h', 'postgres://h/', 'mysql://', 'mysql:///db', 'mysql://h/?socket=/run/mysqld.sock', 'mysql://h/?nope=1', 'mysql://u%00x@h/', 'mysql://u@h/%zz']) {
      expect(() => parseMysqlAddress(bad)).toThrow(BadAddress);
    }
  });
});
