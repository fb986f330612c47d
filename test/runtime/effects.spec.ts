import { afterEach, describe, expect, it } from '@jest/globals';
import { Err } from '#engine/run/host.js';
import { TestGuest } from '../capability/guest-state.js';

/** An invocation without an effect may be made again elsewhere: what changes or sends anything must say so before it does. */
const guests: TestGuest[] = [];
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

function setUp() {
  let effects = 0;
  const guest = new TestGuest({ keyValueStores: ['default'], allowedOutboundHosts: ['http://127.0.0.1:1'] }, { effect: () => { effects++; } });
  guests.push(guest);
  const store = guest.calls('fermyon:spin/key-value@2.0.0');
  const http = guest.calls('wasi:http/types@0.2.3');
  const send = (authority: string) => {
    const request = http('[constructor]outgoing-request', http('[constructor]fields'));
    http('[method]outgoing-request.set-scheme', request, { tag: 'HTTP' });
    http('[method]outgoing-request.set-authority', request, authority);
    return guest.calls('wasi:http/outgoing-handler@0.2.3')('handle', request, undefined);
  };
  return { store, send, opened: store('[static]store.open', 'default'), effects: () => effects };
}

describe('an effect', () => {
  it('is a key that is set or deleted, not one that is read', () => {
    const { store, opened, effects } = setUp();
    store('[method]store.get', opened, 'a');
    store('[method]store.exists', opened, 'a');
    store('[method]store.get-keys', opened);
    expect(effects()).toBe(0);
    store('[method]store.set', opened, 'a', Buffer.from('1'));
    expect(effects()).toBe(1);
    store('[method]store.delete', opened, 'a');
    expect(effects()).toBe(2);
  });

  it('is a request that is sent, not one that is refused', () => {
    const { send, effects } = setUp();
    expect(send('elsewhere.test')).not.toBeInstanceOf(Err);
    expect(effects()).toBe(0);
    send('127.0.0.1:1');
    expect(effects()).toBe(1);
  });
});
