import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** An HTTP proxy (RFC 9110 §9.3.6, RFC 9112 §3.2.2) that takes down where it was asked to go, and goes to 127.0.0.1 whatever the name. */
export class TestProxy {
  readonly asked: string[] = [];
  /** Of the last request. */
  authorization: string | undefined;
  private readonly sockets = new Set<Duplex>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<TestProxy> {
    const server = createServer();
    const proxy = new TestProxy(server);
    server.on('connect', (message: IncomingMessage, socket: Duplex) => proxy.tunnel(message, socket));
    server.on('request', (message: IncomingMessage, response: ServerResponse) => proxy.forward(message, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => { this.server.close(resolve); });
  }

  private tunnel({ url, headers }: IncomingMessage, socket: Duplex): void {
    this.asked.push(`CONNECT ${url}`);
    this.authorization = headers['proxy-authorization'];
    const upstream = connect(Number(url!.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    for (const each of [socket, upstream]) {
      this.sockets.add(each);
      each.on('error', () => {});
    }
  }

  private forward({ url, method, headers }: IncomingMessage, response: ServerResponse): void {
    this.asked.push(`${method} ${url}`);
    const target = new URL(url!);
    request({ host: '127.0.0.1', port: target.port, path: `${target.pathname}${target.search}`, method, headers }, (answer) => answer.pipe(response.writeHead(answer.statusCode!, answer.headers))).end();
  }
}
