import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Fleet, startFleet } from '../fleet/harness/fleet.mjs';

const WHORL = fileURLToPath(new URL('../../dist/bin/whorl.js', import.meta.url));
/** Short, so that nodes renew, and a CA goes, while we look. */
const CERTIFICATE_S = 20;
const AMBIENT = { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: process.env['TMPDIR'], TZ: process.env['TZ'] };

/** `whorl node` as a process of its own, on an address of its own. */
class JoinedNode {
  output = '';
  private child: ChildProcess | undefined;

  constructor(readonly name: string, readonly address: string, readonly port: number, readonly dir: string) {}

  /** Returns when it serves. Throws with what it wrote when it ends first. */
  async start(flags: readonly string[] = []): Promise<void> {
    const args = ['node', '--dir', this.dir, '--listen', this.address, '--http-port', String(this.port), ...flags];
    const child = spawn(process.execPath, [WHORL, ...args], { env: { ...AMBIENT, WHORL_RUNNERS: '1' }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    await Promise.race([once(child, 'message'), once(child, 'exit').then(([code]) => { throw new Error(`ended with ${String(code)}: ${this.output}`); })]);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Status and body of a request to an app, at this node's own address. */
  async request(app: string): Promise<{ status: number; body: string }> {
    const call = get({ host: this.address, port: this.port, headers: { host: `${app}.localhost` }, agent: false });
    const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode!, body: Buffer.concat(chunks).toString().trim() };
  }

  /** What it wrote of trouble with the control plane since `from`. */
  trouble(from = 0): string[] {
    return this.output.slice(from).split('\n').filter((line) => /control plane does not take|no assignments from|does not get a certificate|is not served/.test(line));
  }

  identity(): { node: string; mode: string; authority: string; trust: { authorities: unknown[]; keys: { id: string }[] } } {
    return JSON.parse(readFileSync(join(this.dir, 'identity', 'identity.json'), 'utf8')) as ReturnType<JoinedNode['identity']>;
  }
}

interface Rotation {
  keys: { id: string; kind: string; state: string }[];
}

describe('nodes that have joined', () => {
  let fleet: Fleet;
  let url: string;
  const nodes: JoinedNode[] = [];
  const joinToken = async (settings: object = {}): Promise<string> => ((await fleet.call('POST', '/v1/nodes/join-tokens', { json: settings })) as { token: string }).token;
  const make = async (name: string, address: string): Promise<JoinedNode> => {
    const node = new JoinedNode(name, address, await freePort(address), fleet.folder(`joined-${name}`));
    nodes.push(node);
    return node;
  };
  let [first, second]: JoinedNode[] = [];

  beforeAll(async () => {
    const port = await freePort('127.0.0.1');
    fleet = await startFleet({ nodes: 0, controlEnv: { WHORL_NODES_PORT: String(port), WHORL_CERTIFICATE_SECONDS: String(CERTIFICATE_S) } });
    url = `https://127.0.0.1:${port}`;
    [first, second] = [await make('east', '127.0.0.2'), await make('west', '127.0.0.3')];
    const token = await joinToken({ uses: 2 });
    await Promise.all([first, second].map((node) => node.start(['--join', url, '--token', token, '--name', node.name])));
    await fleet.untilLive(['east', 'west']);
    await fleet.deploy('shop', 'one');
  }, 180_000);
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    await fleet?.stop();
  }, 60_000);

  it('serve what is deployed, each with a key that nobody else can read', async () => {
    for (const node of [first!, second!]) {
      expect(await node.request('shop')).toEqual({ status: 200, body: 'one' });
      expect(node.identity()).toMatchObject({ node: node.name, mode: 'joined' });
      expect(statSync(join(node.dir, 'identity', 'key.pem')).mode & 0o777).toBe(0o600);
      expect(statSync(join(node.dir, 'identity')).mode & 0o777).toBe(0o700);
    }
  }, 60_000);

  it('need a token that is whole, of this platform, and has not expired or been used up', async () => {
    const spent = await joinToken({ ttlSeconds: 1 });
    await sleep(1_200);
    const other = `${(await joinToken()).split('.')[0]}.${'A'.repeat(43)}`;
    for (const [token, reason] of [[spent, 'API_JOIN_TOKEN_EXPIRED'], ['short', 'NODE_CONFIG_INVALID'], ['x'.repeat(40), 'NODE_JOIN_TOKEN_INVALID'], [other, 'NODE_JOIN_AUTHORITY_UNKNOWN']] as const) {
      const node = await make(`refused-${reason.toLowerCase().replaceAll('_', '-')}`, '127.0.0.4');
      await expect(node.start(['--join', url, '--token', token, '--name', 'refused'])).rejects.toThrow(reason);
    }
    const taken = await make('taken', '127.0.0.4');
    await expect(taken.start(['--join', url, '--token', await joinToken(), '--name', 'east'])).rejects.toThrow('API_NODE_NAME_TAKEN');
    await expect((await make('none', '127.0.0.4')).start()).rejects.toThrow('NODE_NOT_JOINED');
  }, 120_000);

  it('start again without flags, token, control plane and database, and serve from what was signed', async () => {
    await fleet.planes[0]!.stop();
    await fleet.postgres.stop();
    await first!.stop();
    await first!.start();
    expect(await first!.request('shop')).toEqual({ status: 200, body: 'one' });
    await fleet.postgres.start();
    await fleet.planes[0]!.start();
    await fleet.untilLive(['east', 'west']);
  }, 180_000);

  it('renew their certificates, and keep on while the CA and the key of statements change under load', async () => {
    const marks = [first!, second!].map((node) => node.output.length);
    const before = ((await fleet.call('GET', '/v1/nodes/ca/rotation')) as Rotation).keys.filter(({ state }) => state === 'signing');
    const answers = { good: 0, bad: [] as string[] };
    const loading = new AbortController();
    const load = (async () => {
      while (!loading.signal.aborted) {
        for (const node of [first!, second!]) {
          const answer = await node.request('shop').catch((error: Error) => ({ status: 0, body: error.message }));
          if (answer.status === 200) answers.good++;
          else answers.bad.push(JSON.stringify(answer));
        }
        await sleep(20);
      }
    })();
    await fleet.call('POST', '/v1/nodes/ca/rotate', { json: {} });
    const keys = async (): Promise<Rotation['keys']> => ((await fleet.call('GET', '/v1/nodes/ca/rotation')) as Rotation).keys;
    await fleet.until('the old CA is gone', async () => (await keys()).filter(({ kind }) => kind === 'tls').length === 1, 120_000);
    const now = await keys();
    expect(now.filter(({ state }) => state === 'signing').map(({ id }) => id).filter((id) => before.some((each) => each.id === id))).toEqual([]);
    const signing = now.find(({ kind, state }) => kind === 'tls' && state === 'signing')!.id;
    // What the control plane has dropped, nodes hear of a moment later.
    const isSettled = (node: JoinedNode): boolean => node.identity().authority === signing && node.identity().trust.authorities.length === 1;
    await fleet.until('the nodes know the new CA alone', () => [first!, second!].every(isSettled), 60_000);
    loading.abort();
    await load;
    expect(answers.bad).toEqual([]);
    expect(answers.good).toBeGreaterThan(100);
    expect([first!, second!].flatMap((node, i) => node.trouble(marks[i]))).toEqual([]);
    await fleet.deploy('shop', 'two');
    expect(await second!.request('shop')).toEqual({ status: 200, body: 'two' });
  }, 240_000);

  it('serve by the new key after a restart without a control plane', async () => {
    await fleet.planes[0]!.stop();
    await second!.stop('SIGKILL');
    await second!.start();
    expect(await second!.request('shop')).toEqual({ status: 200, body: 'two' });
    await fleet.planes[0]!.start();
  }, 120_000);

  it('are refused when they are removed: they let go of everything, and come back by a token that was made since', async () => {
    await fleet.untilLive(['east', 'west']);
    const old = await joinToken();
    await fleet.call('DELETE', '/v1/nodes/east?force=true');
    await fleet.until('the removed node serves nothing', async () => (await first!.request('shop')).status !== 200, 60_000);
    expect(await second!.request('shop')).toEqual({ status: 200, body: 'two' });
    await first!.stop();
    await first!.start(['--join', url, '--token', old, '--name', 'east']);
    await fleet.until('it is refused', () => first!.output.includes('the join token does not let it come back'), 60_000)
      .catch((error: Error) => { throw new Error(`${error.message}; it wrote: ${first!.output.slice(-4_000)}`); });
    expect((await first!.request('shop')).status).not.toBe(200);
    await first!.stop();
    await first!.start(['--join', url, '--token', await joinToken(), '--name', 'east']);
    await fleet.until('it serves again', async () => (await first!.request('shop')).status === 200, 60_000);
  }, 240_000);
});

async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
