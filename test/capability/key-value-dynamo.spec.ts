import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DynamoDB } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { openKeyValueStore } from '#runtime/capability/key-value/store.js';
import { bytes, text } from './guest-state.js';
import { keyValueSuite } from './key-value.suite.js';

const TABLE = 'pairs';

/** dynalite answers DynamoDB's protocol, conditions and paging included. */
describe('key-value stores in DynamoDB', () => {
  let server: Server;
  let dynamo: DynamoDB;
  let endpoint: string;
  beforeAll(async () => {
    server = dynalite({ createTableMs: 0, deleteTableMs: 0 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    dynamo = new DynamoDB({ region: 'eu-central-1', endpoint, credentials: { accessKeyId: 'a', secretAccessKey: 's' } });
    await dynamo.createTable({
      TableName: TABLE, AttributeDefinitions: [{ AttributeName: 'PK', AttributeType: 'S' }], KeySchema: [{ AttributeName: 'PK', KeyType: 'HASH' }], BillingMode: 'PAY_PER_REQUEST',
    });
    while ((await dynamo.describeTable({ TableName: TABLE })).Table!.TableStatus !== 'ACTIVE');
  });
  afterAll(async () => {
    dynamo.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const open = (table = TABLE) => openKeyValueStore({ type: 'aws_dynamo', region: 'eu-central-1', table, consistentRead: true, accessKey: 'a', secretKey: 's', endpoint }, '/nowhere');

  keyValueSuite(open, { ordered: false, anyKey: true, writers: 8 });

  it('hold items as Spin\'s driver does, with an attribute that DynamoDB can delete by', async () => {
    const store = open();
    await dynamo.putItem({ TableName: TABLE, Item: { PK: { S: 'of spin' }, VAL: { B: bytes('v') }, VER: { N: '3' } } });
    expect(text((await store.get('of spin'))!)).toBe('v');
    expect(await store.swap('of spin', bytes('v'), bytes('w'), 10_000)).toBe(true);
    const { Item: item } = await dynamo.getItem({ TableName: TABLE, Key: { PK: { S: 'of spin' } } });
    expect(Object.keys(item!).sort()).toEqual(['EXP', 'PK', 'TTL', 'VAL']);
    expect(Math.abs(Number(item!['TTL']!.N) * 1000 - Date.now() - 10_000)).toBeLessThan(5_000);
    await store.close();
  });

  it('say no more than the name of the service\'s error', async () => {
    const store = open('missing');
    await expect((async () => store.get('k'))()).rejects.toThrow('the store answered with ResourceNotFoundException');
    await store.close();
  });
});
