import { SocketFault } from './socket-fault.js';

const NS_PER_S = 1_000_000_000n;

/** A number that must not be 0 (wasi:sockets, all options that are sizes, times and counts). */
export function atLeastOne<T extends number | bigint>(value: T): T {
  if (value <= 0) throw new SocketFault('invalid-argument');
  return value;
}

/** Sizes of buffers are hints: they are kept and given back, within what systems take. */
const MAX_BUFFER_BYTES = 16n * 1024n * 1024n;
export const toBufferBytes = (value: bigint): bigint => {
  const positive = atLeastOne(value);
  return positive < MAX_BUFFER_BYTES ? positive : MAX_BUFFER_BYTES;
};

/** Systems count the times of keep-alive in seconds. */
const MAX_KEEP_ALIVE_S = 32_767n;
export const toWholeSeconds = (ns: bigint): bigint => {
  const seconds = (atLeastOne(ns) + NS_PER_S - 1n) / NS_PER_S;
  return (seconds < MAX_KEEP_ALIVE_S ? seconds : MAX_KEEP_ALIVE_S) * NS_PER_S;
};

/** Options of a TCP socket, with the defaults of Linux. Node sets keep-alive alone; the others are kept. */
export class TcpOptions {
  keepAlive = false;
  noDelay = true;
  private idleNs = 7_200n * NS_PER_S;
  private intervalNs = 75n * NS_PER_S;
  private count = 9;
  private hops = 64;
  private receiveBytes = 65_536n;
  private sendBytes = 65_536n;

  get keepAliveIdleNs(): bigint { return this.idleNs; }
  set keepAliveIdleNs(ns: bigint) { this.idleNs = toWholeSeconds(ns); }
  get keepAliveIntervalNs(): bigint { return this.intervalNs; }
  set keepAliveIntervalNs(ns: bigint) { this.intervalNs = toWholeSeconds(ns); }
  get keepAliveCount(): number { return this.count; }
  set keepAliveCount(count: number) { this.count = Math.min(127, atLeastOne(count)); }
  get hopLimit(): number { return this.hops; }
  set hopLimit(hops: number) { this.hops = atLeastOne(hops); }
  get receiveBufferBytes(): bigint { return this.receiveBytes; }
  set receiveBufferBytes(bytes: bigint) { this.receiveBytes = toBufferBytes(bytes); }
  get sendBufferBytes(): bigint { return this.sendBytes; }
  set sendBufferBytes(bytes: bigint) { this.sendBytes = toBufferBytes(bytes); }

  /** As `net.Socket.setKeepAlive` takes them: times in ms. */
  get keepAliveArguments(): [enable: boolean, idleMs: number, intervalMs: number, count: number] {
    return [this.keepAlive, Number(this.idleNs / 1_000_000n), Number(this.intervalNs / 1_000_000n), this.count];
  }
}
