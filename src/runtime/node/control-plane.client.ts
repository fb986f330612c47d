import type { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import type { Assignment, NodeReportInput } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { type JournalBatch, JournalReceipt } from '#contract/journal.js';
import { type NodeHeartbeat, NodeReceipt } from '#contract/node-facts.js';
import { type CertificateRequest, IssuedCertificate, NODE_JOIN_ROUTES, TrustBundle } from '#contract/node-join.js';
import { NODE_ROUTES } from '#contract/node-routes.js';
import { PreviewAnswer } from '#contract/preview.js';
import { RouteChanges, type WantedChannel } from '#contract/routes.js';
import type { NodeSamples } from '#contract/samples.js';
import { type StoreAnswer, type StoreRequest, StoreRequests } from '#contract/store-request.js';
import type { AskedPreview } from '#runtime/trigger/preview-arrivals.js';
import type { ControlPlaneLink } from './control-plane-link.js';
import { RUNNABLE_ENGINES } from './engines.js';

const TIMEOUT_MS = 15_000;
const ELSEWHERE = 307;
const CONNECT_TIMEOUT_MS = 3_000;
/** Assignments of a fleet's node with many large manifests stay far below. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Of a problem (RFC 9457) that says so. */
const REMOVED: ReadonlySet<string> = new Set(['API_NODE_REMOVED', 'API_NODE_KEY_WITHDRAWN']);

export interface ControlPlaneOptions {
  link: ControlPlaneLink;
  node: string;
}

/** The control plane answered no. */
export class ControlPlaneRefusal extends WhorlError {
  /** @param reason the code of its problem, where it said one */
  constructor(message: string, readonly status: number, readonly reason: string | undefined) {
    super(reason !== undefined && REMOVED.has(reason) ? 'NODE_REMOVED' : 'NODE_CONTROL_PLANE_REFUSED', message);
  }
}

interface Call {
  path: string;
  method?: Dispatcher.HttpMethod;
  body?: unknown;
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Whether the answer may be that what is asked for is elsewhere. */
  mayBeElsewhere?: boolean;
  /** Instead of what the node is known by. */
  bearer?: string | undefined;
}

/**
 * What the node asks of the control plane. Every method throws a WhorlError: NODE_CONTROL_PLANE_UNREACHABLE when it does not answer
 * (ask again), NODE_CONTROL_PLANE_REFUSED when it answers no, NODE_REMOVED when this node is none of the fleet any more.
 */
export class ControlPlaneClient {
  /** To whoever has a blob, as nobody. */
  private readonly elsewhere = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS }, connections: 16, keepAliveTimeout: 30_000 });

  constructor(private readonly options: ControlPlaneOptions) {}

  /** What this node should hold, as it came: at once when it differs from `after`, else when it changes or after `waitS` seconds. */
  assignments(after: string | undefined, waitS: number, signal: AbortSignal): Promise<unknown> {
    const query = new URLSearchParams({ wait: String(waitS), engines: RUNNABLE_ENGINES.join(), ...(after !== undefined && { after }) });
    const path = `${this.path('assignments')}?${query}`;
    return this.json({ path, timeoutMs: waitS * 1_000 + TIMEOUT_MS, signal });
  }

  /** undefined: it is of an older release, and says nothing. */
  async report(report: NodeReportInput, signal?: AbortSignal): Promise<NodeReceipt | undefined> {
    const answer = await this.json({ path: this.path('report'), method: 'PUT', body: report, ...(signal && { signal }) });
    return answer === undefined ? undefined : NodeReceipt.parse(answer);
  }

  async heartbeat(heartbeat: NodeHeartbeat, signal?: AbortSignal): Promise<NodeReceipt> {
    return NodeReceipt.parse(await this.json({ path: this.path('heartbeat'), method: 'POST', body: heartbeat, ...(signal && { signal }) }));
  }

  async sendSamples(samples: NodeSamples, signal?: AbortSignal): Promise<void> {
    await this.json({ path: this.path('samples'), method: 'POST', body: samples, ...(signal && { signal }) });
  }

  /** Hands over a batch of a journal. */
  async ship(batch: JournalBatch, signal?: AbortSignal): Promise<JournalReceipt> {
    return JournalReceipt.parse(await this.json({ path: this.path('journal'), method: 'POST', body: batch, ...(signal && { signal }) }));
  }

  /** What this node is asked to do with stores: at once when there is something, else when there is or after `waitS` seconds. */
  async storeRequests(waitS: number, signal: AbortSignal): Promise<StoreRequest[]> {
    const path = `${this.path('storeRequests')}?wait=${waitS}`;
    return StoreRequests.parse(await this.json({ path, timeoutMs: waitS * 1_000 + TIMEOUT_MS, signal })).requests;
  }

  /** What came of a request. */
  async answerStore(request: string, answer: StoreAnswer): Promise<void> {
    await this.json({ path: this.path('storeAnswer').replace(':request', request), method: 'POST', body: answer });
  }

  /** Which nodes have which hosts: at once when it differs from `after`, else when it changes or after `waitS` seconds. */
  async routes(after: string | undefined, waitS: number, signal: AbortSignal): Promise<RouteChanges> {
    const query = new URLSearchParams({ wait: String(waitS), ...(after !== undefined && { after }) });
    return RouteChanges.parse(await this.json({ path: `${this.path('routes')}?${query}`, timeoutMs: waitS * 1_000 + TIMEOUT_MS, signal }));
  }

  /** Somebody asked this node for a channel that is nowhere. */
  async wanted(channel: WantedChannel): Promise<void> {
    await this.json({ path: this.path('wanted'), method: 'POST', body: channel });
  }

  /** What it takes to serve a version by itself; null: there is no such version. */
  async preview({ app, version }: AskedPreview): Promise<Assignment | null> {
    const path = this.path('preview').replace(':app', app).replace(':version', String(version));
    return PreviewAnswer.parse(await this.json({ path: `${path}?engines=${RUNNABLE_ENGINES.join()}` })).preview;
  }

  /** A certificate for this node's key. @param joinToken what lets it have the name; undefined: it has it, or its token does */
  async certify(certificateRequest: CertificateRequest, joinToken?: string): Promise<IssuedCertificate> {
    return IssuedCertificate.parse(await this.json({ path: this.joinPath('certificate'), method: 'POST', body: certificateRequest, bearer: joinToken }));
  }

  /** What this node is to believe: at once when it differs from `after`, else when it changes or after `waitS` seconds. */
  async trust(after: string | undefined, waitS: number, { keys, signal }: { keys: readonly string[]; signal: AbortSignal }): Promise<TrustBundle> {
    const query = new URLSearchParams({ wait: String(waitS), keys: keys.join(), ...(after !== undefined && { after }) });
    return TrustBundle.parse(await this.json({ path: `${this.joinPath('trust')}?${query}`, timeoutMs: waitS * 1_000 + TIMEOUT_MS, signal }));
  }

  /** The bytes of a blob, unchecked: from the control plane, or from the store that it names. */
  async blob(digest: Digest): Promise<Readable> {
    const { body, statusCode, headers } = await this.send({ path: NODE_ROUTES.blob.path.replace(':digest', digest), mayBeElsewhere: true });
    if (statusCode !== ELSEWHERE) return body;
    await body.dump();
    return this.blobElsewhere(String(headers.location));
  }

  async close(): Promise<void> {
    await Promise.all([this.elsewhere.destroy(), this.options.link.close()]);
  }

  /** Whoever it is, it must not see the node's token. What it answers is the blob or nothing: an error may be that the URL has expired. */
  private async blobElsewhere(url: string): Promise<Readable> {
    // What follows the path lets its holder read the blob.
    const name = { path: withoutQuery(url) };
    try {
      if (!/^https?:\/\//.test(url)) throw new Error('no URL to read a blob from');
      const { body, statusCode } = await request(url, { dispatcher: this.elsewhere, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
      if (statusCode === 200) return body;
      await body.dump();
      throw new Error(`status ${statusCode}`);
    } catch (error) {
      throw unreachable(name, error);
    }
  }

  private path(route: Exclude<keyof typeof NODE_ROUTES, 'blob'>): string {
    return NODE_ROUTES[route].path.replace(':node', this.options.node);
  }

  private joinPath(route: 'certificate' | 'trust'): string {
    return NODE_JOIN_ROUTES[route].path.replace(':node', this.options.node);
  }

  private async json(call: Call): Promise<unknown> {
    const { body } = await this.send(call);
    try {
      const text = await readText(body);
      return text === '' ? undefined : JSON.parse(text);
    } catch (error) {
      throw unreachable(call, error);
    }
  }

  private async send(call: Call): Promise<Dispatcher.ResponseData> {
    const { path, method = 'GET', body, timeoutMs = TIMEOUT_MS, signal, bearer } = call;
    const { url, dispatcher, headers } = this.options.link;
    let response: Dispatcher.ResponseData;
    try {
      response = await request(url + path, {
        dispatcher,
        method,
        headers: { ...headers, ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }), ...(body !== undefined && { 'content-type': 'application/json' }) },
        body: body === undefined ? null : JSON.stringify(body),
        headersTimeout: timeoutMs,
        bodyTimeout: TIMEOUT_MS,
        ...(signal && { signal }),
      });
    } catch (error) {
      if (!signal?.aborted) this.options.link.failed(url);
      throw unreachable(call, error);
    }
    const { statusCode } = response;
    if ((statusCode >= 200 && statusCode < 300) || (statusCode === ELSEWHERE && call.mayBeElsewhere)) return response;
    const text = await readText(response.body).catch(() => '');
    const message = `${method} ${withoutQuery(path)}: status ${statusCode}${text ? ` ${text.slice(0, 500)}` : ''}`;
    if (statusCode >= 500 || statusCode === 429) throw new WhorlError('NODE_CONTROL_PLANE_UNREACHABLE', message);
    throw new ControlPlaneRefusal(message, statusCode, reasonIn(text));
  }
}

async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unreachable({ path, method = 'GET' }: Call, cause: unknown): WhorlError {
  return new WhorlError('NODE_CONTROL_PLANE_UNREACHABLE', `${method} ${withoutQuery(path)}: ${(cause as Error).message}`, { cause });
}

/** The code of a problem (RFC 9457). */
function reasonIn(text: string): string | undefined {
  try {
    return z.object({ code: z.string() }).safeParse(JSON.parse(text)).data?.code;
  } catch {
    return undefined;
  }
}

const withoutQuery = (path: string): string => path.split('?', 1)[0]!;
