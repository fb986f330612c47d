import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Everything that a process says of itself, in Prometheus' text format. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Where metrics are answered. */
export interface MetricsAddress {
  host: string;
  port: number;
}

/** Of what the setting says: `host:port`, IPv6 in brackets. */
export function toMetricsAddress(text: string): MetricsAddress {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(at + 1)) };
}

/** `GET /metrics` on an address of its own, apart from what the process is there for: what it tells is the operator's business. */
export class MetricsServer {
  private constructor(private readonly server: Server) {}

  /** Rejects when the address cannot be listened on. */
  static async start({ host, port }: MetricsAddress, metrics: Metrics): Promise<MetricsServer> {
    const server = createServer((request, response) => {
      const [path] = request.url!.split('?', 1);
      if (path !== '/metrics') return void response.writeHead(404).end();
      if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(request.method === 'HEAD' ? undefined : text),
        () => response.writeHead(500).end(),
      );
    });
    server.listen(port, host);
    await once(server, 'listening');
    return new MetricsServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
