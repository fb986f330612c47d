import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a port of this machine on which each connection breaks after so many bytes of answers; `breaks` of them do, then it holds. */
export class BadLine {
  broken = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(port: number, { afterBytes, breaks }: { afterBytes: number; breaks: number }): Promise<BadLine> {
    const server = createServer();
    const line = new BadLine(server);
    server.on('connection', (near: Socket) => {
      const far = connect(port, '127.0.0.1');
      let passed = 0;
      far.on('data', (chunk: Buffer) => {
        passed += chunk.length;
        if (passed > afterBytes && line.broken < breaks) {
          line.broken++;
          near.resetAndDestroy();
          far.destroy();
          return;
        }
        near.write(chunk);
      });
      near.pipe(far);
      far.on('end', () => near.end());
      for (const socket of [near, far]) {
        line.sockets.add(socket);
        socket.on('error', () => {});
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => { this.server.close(resolve); });
  }
}
