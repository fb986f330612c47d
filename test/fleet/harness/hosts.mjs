// Where the members of a fleet live: in network namespaces joined by a bridge, where we are root and the kernel has them, else on loopback addresses.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';

const run = (...args) => spawnSync('ip', args, { encoding: 'utf8' });
const must = (...args) => {
  const { status, stderr, error } = run(...args);
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr}`);
};

/** A TCP port that is free on an address of this machine at this moment. */
export async function freePort(address = '127.0.0.1') {
  const server = createServer().listen(0, address);
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * @returns {Promise<Hosts>} `base`: the address of what is on no node (control planes, load); `nodes`: of each node its address and the `prefix` that starts a program there
 * @throws when `kind` is 'namespaces' and the machine has none
 */
export async function makeHosts(count, kind = 'loopback') {
  if (kind === 'namespaces') return namespaces(count);
  // Where only 127.0.0.1 is there, nodes differ in their ports.
  const has = async (address) => freePort(address).then(() => true, () => false);
  const nodes = await Promise.all(Array.from({ length: count }, async (_, i) => ({ address: (await has(`127.0.0.${i + 2}`)) ? `127.0.0.${i + 2}` : '127.0.0.1', prefix: [] })));
  return { kind, base: '127.0.0.1', nodes, remove() {} };
}

function namespaces(count) {
  const tag = process.pid.toString(36).slice(-5);
  const bridge = `wh${tag}`;
  const net = `10.${200 + (process.pid % 50)}.${(process.pid >> 6) % 250}`;
  const names = Array.from({ length: count }, (_, i) => `${bridge}n${i}`);
  const remove = () => {
    for (const name of names) {
      run('link', 'del', `${name}h`);
      run('netns', 'del', name);
    }
    run('link', 'del', bridge);
  };
  try {
    must('link', 'add', bridge, 'type', 'bridge');
    must('addr', 'add', `${net}.1/24`, 'dev', bridge);
    must('link', 'set', bridge, 'up');
    for (const [i, name] of names.entries()) {
      must('netns', 'add', name);
      must('link', 'add', `${name}h`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      must('link', 'set', `${name}h`, 'master', bridge, 'up');
      must('-n', name, 'addr', 'add', `${net}.${i + 2}/24`, 'dev', 'eth0');
      must('-n', name, 'link', 'set', 'eth0', 'up');
      must('-n', name, 'link', 'set', 'lo', 'up');
    }
  } catch (error) {
    remove();
    throw error;
  }
  process.once('exit', remove);
  return { kind: 'namespaces', base: `${net}.1`, nodes: names.map((name, i) => ({ address: `${net}.${i + 2}`, prefix: ['ip', 'netns', 'exec', name] })), remove };
}

/** Takes a node off the net and puts it back, for fleets in namespaces. */
export function setLink(host, up) {
  must('link', 'set', `${host.prefix[3]}h`, up ? 'up' : 'down');
}
