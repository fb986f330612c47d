import type { GuestGrant } from '#runtime/capability/guest.js';
import { bytes, ok, TestGuest, text } from './guest-state.js';

export interface Answered {
  status: number;
  body: string;
}

/** A 0.2 guest that sends requests, one at a time or many. */
export class OutboundGuest {
  readonly guest: TestGuest;
  private readonly http: ReturnType<TestGuest['calls']>;

  constructor(grant: Partial<GuestGrant>) {
    this.guest = new TestGuest(grant);
    this.http = this.guest.calls('wasi:http/types@0.2.3');
  }

  /** The whole answer, or the code of the error. */
  async send(url: string, { method = 'GET', body = null as string | null } = {}): Promise<Answered | string> {
    const { http, guest } = this;
    const { protocol, host, pathname, search } = new URL(url);
    const request = http('[constructor]outgoing-request', ok(http('[static]fields.from-list', [])));
    http('[method]outgoing-request.set-method', request, { tag: method.toLowerCase() });
    http('[method]outgoing-request.set-scheme', request, { tag: protocol === 'https:' ? 'HTTPS' : 'HTTP' });
    http('[method]outgoing-request.set-authority', request, host);
    http('[method]outgoing-request.set-path-with-query', request, pathname + search);
    const outgoing = body === null ? null : ok(http('[method]outgoing-request.body', request));
    const future = guest.calls('wasi:http/outgoing-handler@0.2.3')('handle', request, undefined);
    const io = guest.calls('wasi:io/streams@0.2.3');
    if (outgoing) {
      await io('[method]output-stream.blocking-write-and-flush', ok(http('[method]outgoing-body.write', outgoing)), bytes(body!));
      ok(http('[static]outgoing-body.finish', outgoing, undefined));
    }
    await guest.calls('wasi:io/poll@0.2.3')('[method]pollable.block', future);
    const { tag, val } = http('[method]future-incoming-response.get', future).val;
    if (tag === 'err') return val.tag;
    const stream = ok(http('[method]incoming-body.stream', ok(http('[method]incoming-response.consume', val))));
    let all = '';
    for (;;) {
      const chunk = await io('[method]input-stream.blocking-read', stream, 65_536n);
      if (!(chunk instanceof Uint8Array)) break;
      all += text(chunk);
    }
    return { status: http('[method]incoming-response.status', val), body: all };
  }

  dispose(): void {
    this.guest.dispose();
  }
}
