import { describe, expect, it } from '@jest/globals';
import { parseMqttAddress } from './mqtt-address.js';

const plain = { scheme: 'mqtt', host: 'broker.example', port: 1883, clientId: 'me', cleanSession: true };

describe(parseMqttAddress.name, () => {
  it.each([
    ['mqtt://broker.example?client_id=me', plain],
    ['mqtt://Broker.Example:1884/?client_id=me&keep_alive_secs=5', { ...plain, port: 1884 }],
    ['mqtts://broker.example?client_id=me&clean_session=false', { ...plain, scheme: 'mqtts', port: 8883, cleanSession: false }],
    ['mqtt://[::1]:1?client_id=a%20b', { ...plain, host: '::1', port: 1, clientId: 'a b' }],
  ])('reads %s', (text, address) => {
    expect(parseMqttAddress(text)).toEqual(address);
  });

  it.each([
    '', 'broker.example', 'localhost:1883?client_id=me', 'mqtt://broker.example', 'mqtt://broker.example?client_id=', 'mqtt://broker.example?client_id=%20me',
    'mqtt://broker.example?client_id=me&colour=red', 'mqtt://broker.example?client_id=me&clean_session=maybe', 'ws://broker.example?client_id=me',
    'mqtt://?client_id=me', 'mqtt://broker.example:0?client_id=me', 'mqtt://broker.example:99999?client_id=me',
  ])('refuses %j', (text) => {
    expect(parseMqttAddress(text)).toBeNull();
  });
});
