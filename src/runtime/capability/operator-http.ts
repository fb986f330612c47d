import { Agent, request } from 'undici';

/** Owners whose connections are kept; the one unused for longest loses them. */
const MAX_OWNERS = 256;
const MAX_CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 10_000;

/** In order of use, the latest last. */
const agents = new Map<string, Agent>();

/** A request to a server that the operator named: no policy of a component stands in its way, and redirects are not followed. */
export interface OperatorRequest {
  /** Whose connections it may use: those of an org and app are never another's. */
  owner: string;
  url: URL;
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
  maxResponseBytes: number;
}

/** The answer was larger than it may be. */
export class ResponseTooLarge extends Error {
  override name = 'ResponseTooLarge';
}

function agentOf(owner: string): Agent {
  const known = agents.get(owner);
  agents.delete(owner);
  // How long a request may take is its signal's matter.
  const agent = known ?? new Agent({ connections: MAX_CONNECTIONS, connect: { timeout: CONNECT_TIMEOUT_MS }, headersTimeout: 0, bodyTimeout: 0, allowH2: false });
  agents.set(owner, agent);
  if (agents.size > MAX_OWNERS) {
    const [oldest, unused] = agents.entries().next().value!;
    agents.delete(oldest);
    unused.close().catch(() => undefined);
  }
  return agent;
}

/** Posts JSON. Status and text of the answer; fails as undici does, with ResponseTooLarge, or with the signal's reason. */
export async function postJson({ owner, url, headers, body, signal, maxResponseBytes }: OperatorRequest): Promise<{ status: number; text: string }> {
  const all = { 'content-type': 'application/json', ...headers };
  const answer = await request(url, { method: 'POST', headers: all, body, signal, dispatcher: agentOf(owner) });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxResponseBytes) throw new ResponseTooLarge(`the answer exceeds ${maxResponseBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: answer.statusCode, text: Buffer.concat(chunks).toString() };
}

/** For a clean end of this process. */
export async function closeOperatorConnections(): Promise<void> {
  const all = [...agents.values()];
  agents.clear();
  await Promise.allSettled(all.map((agent) => agent.destroy()));
}
