// The way of one node to the control planes, as a load balancer in front of them would be it. It can be cut: bytes then go nowhere, as on a broken network.
import { connect, createServer } from 'node:net';

export class Link {
  sockets = new Set();
  isCut = false;
  turn = 0;

  /** @param targets answers `{host, port}` of each control plane that runs */
  static async open(address, targets) {
    const link = new Link();
    link.targets = targets;
    link.server = createServer((socket) => link.take(socket));
    link.server.listen(0, address);
    await new Promise((resolve, reject) => link.server.once('listening', resolve).once('error', reject));
    link.port = link.server.address().port;
    return link;
  }

  /** What is under way hangs, and so does what begins. */
  cut() {
    this.isCut = true;
    for (const socket of this.sockets) socket.pause();
  }

  /** Connections of before are gone, new ones come through. */
  mend() {
    this.isCut = false;
    this.drop();
  }

  async close() {
    this.drop();
    await new Promise((resolve) => this.server.close(resolve));
  }

  drop() {
    for (const socket of this.sockets) socket.destroy();
  }

  take(socket) {
    this.keep(socket);
    if (this.isCut) return;
    const targets = this.targets();
    this.turn++;
    this.forward(socket, targets.map((_, i) => targets[(this.turn + i) % targets.length]));
  }

  forward(socket, [target, ...others]) {
    if (!target) return socket.destroy();
    const upstream = connect(target);
    const refused = () => this.forward(socket, others);
    upstream.once('error', refused);
    upstream.once('connect', () => {
      upstream.off('error', refused);
      this.keep(upstream);
      upstream.once('close', () => socket.destroy());
      socket.once('close', () => upstream.destroy());
      if (socket.destroyed) return upstream.destroy();
      // Not pipe(): that would begin to read again whatever has been cut.
      for (const [from, to] of [[socket, upstream], [upstream, socket]]) {
        from.on('data', (bytes) => { if (!to.write(bytes)) from.pause(); });
        to.on('drain', () => { if (!this.isCut) from.resume(); });
        from.on('end', () => to.end());
      }
      if (this.isCut) for (const each of [socket, upstream]) each.pause();
    });
  }

  keep(socket) {
    socket.setNoDelay(true);
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.sockets.delete(socket));
  }
}
