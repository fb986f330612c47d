import http from 'node:http';
import https from 'node:https';
import { Client } from 'minio';

export interface S3Options {
  /** With scheme, and port unless it is the scheme's own. */
  endpoint: string;
  bucket: string;
  region: string;
  accessKey: string;
  secretKey: string;
  /** Whether the bucket is the first segment of the path (default) or the first label of the host, which needs DNS that knows it. */
  pathStyle?: boolean;
  /** The same store as nodes reach it, which may then be given presigned URLs. */
  presignEndpoint?: string | undefined;
}

/** A store that says nothing for so long has been lost. */
const IDLE_MS = 60_000;
const AGENT = { keepAlive: true, maxSockets: 64 } as const;

export function toClient({ endpoint, region, accessKey, secretKey, pathStyle = true }: S3Options): Client {
  const url = new URL(endpoint);
  const useSSL = url.protocol === 'https:';
  return new Client({
    endPoint: url.hostname,
    port: url.port === '' ? (useSSL ? 443 : 80) : Number(url.port),
    useSSL,
    // Given, the client does not ask the store for it before the first request.
    region,
    accessKey,
    secretKey,
    pathStyle,
    transportAgent: useSSL ? new https.Agent(AGENT) : new http.Agent(AGENT),
    transport: { request: useSSL ? withTimeout(https.request) : withTimeout(http.request) },
  });
}

/** The client itself would wait for ever. */
function withTimeout(request: typeof https.request): typeof https.request {
  return ((...args: Parameters<typeof https.request>) => {
    const sent = request(...args);
    sent.setTimeout(IDLE_MS, () => sent.destroy(new Error(`no answer for ${IDLE_MS} ms`)));
    return sent;
  }) as typeof https.request;
}
