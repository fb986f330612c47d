import { describe, expect, it } from '@jest/globals';
import { BadAddress, parsePgAddress } from './address.js';

const base = { password: null, sslMode: 'prefer', writable: 'any', startup: {} };

describe(parsePgAddress.name, () => {
  it('reads URLs', () => {
    expect(parsePgAddress('postgres://u%40x:p%3Aw@h:5433/db%20x?sslmode=disable&application_name=a%26b')).toEqual({
      ...base, hosts: [{ host: 'h', port: 5433 }], user: 'u@x', password: 'p:w', database: 'db x', sslMode: 'disable', startup: { application_name: 'a&b' },
    });
    expect(parsePgAddress('postgresql://u@h')).toEqual({ ...base, hosts: [{ host: 'h', port: 5432 }], user: 'u', database: 'u' });
    expect(parsePgAddress('postgres://[::1]:1,b,c:3/db?user=u&password=&target_session_attrs=read-write')).toEqual({
      ...base, hosts: [{ host: '::1', port: 1 }, { host: 'b', port: 5432 }, { host: 'c', port: 3 }], user: 'u', password: '', database: 'db', writable: 'read-write',
    });
  });

  it('reads pairs of keys and values', () => {
    expect(parsePgAddress("host=h port = 5433 user='a b' password='it\\'s' dbname=d\\ b")).toEqual({ ...base, hosts: [{ host: 'h', port: 5433 }], user: 'a b', password: "it's", database: 'd b' });
    expect(parsePgAddress(' host=a,b user=u options=-csearch_path=x ')).toEqual({ ...base, hosts: [{ host: 'a', port: null }, { host: 'b', port: null }], user: 'u', database: 'u', startup: { options: '-csearch_path=x' } });
    expect(parsePgAddress('host=a,b port=7 user=u')).toMatchObject({ hosts: [{ host: 'a', port: 7 }, { host: 'b', port: 7 }] });
    expect(parsePgAddress('host=a,b port=7, user=u')).toMatchObject({ hosts: [{ host: 'a', port: 7 }, { host: 'b', port: null }] });
  });

  it('refuses what it does not know, sockets of the machine, and what could be read in two ways', () => {
    for (const bad of [
      '', 'host=h', 'user=u', 'host=h user=u port=x', 'host=h user=u port=0', 'host=h user=u port=70000', 'host=a,b port=1,2,3 user=u', 'host=h user=u hostaddr=127.0.0.1',
      'host=h user=u sslmode=allow', 'host=h user=u target_session_attrs=primary', "host=h user='u", 'host=h user', 'host=h user=u x', 'host=/tmp user=u', 'host=@x user=u', 'host=,b user=u',
      'host=h/x user=u', 'host=a@b user=u', 'postgres://u@%2Ftmp/db', 'postgres:///db?user=u', 'postgres://u@h/%zz', 'postgres://u@h?sslmode', 'postgres://u%00x@h', 'host=h user=u\0x',
    ]) expect(() => parsePgAddress(bad)).toThrow(BadAddress);
  });

  it('says what is wrong without the password', () => {
    for (const bad of ['host=h user=u password=secret port=x', 'postgres://u:secret@h:x/', 'postgres://u:secret@h/?nope=1']) {
      expect(() => parsePgAddress(bad)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }));
    }
  });
});
