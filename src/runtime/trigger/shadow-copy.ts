import type { IncomingMessage } from 'node:http';
import type { VersionNumber } from '#contract/ids.js';
import { MAX_COPIED_BYTES, type SkipReason } from '#contract/shadow.js';
import { EOF, type ByteSource, type Headers } from '#runtime/capability/guest.js';
import type { Ended } from '#runtime/meter/version-samples.js';
import type { WholeAnswer } from './shadow-compare.js';

/** Bytes as they come by, up to what is copied. */
class Taken {
  readonly chunks: Uint8Array[] = [];
  bytes = 0;
  ended = false;

  /** False: it is more than is copied. */
  add(chunk: Uint8Array): boolean {
    this.bytes += chunk.length;
    if (this.bytes > MAX_COPIED_BYTES) return false;
    this.chunks.push(chunk);
    return true;
  }
}

/** Whom a copy tells what became of it. */
export interface CopyKeeper {
  /** The original is over, and everything is there. */
  complete(copy: ShadowCopy): void;
  skip(copy: ShadowCopy, reason: SkipReason): void;
  /** More is held for it. False: there is no room. */
  hold(bytes: number): boolean;
}

/** What is known of a request without its body. */
export interface CopiedHead {
  request: Pick<IncomingMessage, 'method' | 'rawHeaders'>;
  authority: string;
  pathWithQuery: string;
  /** Which answers the client. */
  version: VersionNumber;
  component: string;
}

/**
 * A request of a client and its answer, taken down while they pass. Nothing waits for it and nothing of it fails the original; chunks are kept as they
 * are, not copied.
 */
export class ShadowCopy {
  readonly startedMs = performance.now();
  /** How the original ended, and how long it took. */
  ended: Ended = { code: null, status: 0, cpuMs: null };
  tookMs = 0;
  requestId = '';
  clientAddress = '';
  heldBytes = 0;
  private readonly body = new Taken();
  private readonly answer = new Taken();
  private head: Pick<WholeAnswer, 'status' | 'headers'> | null = null;
  private isOver = false;

  constructor(private readonly keeper: CopyKeeper, readonly of: CopiedHead, hasBody: boolean) {
    this.body.ended = !hasBody;
  }

  get wantsBody(): boolean {
    return !this.isOver && !this.body.ended;
  }

  takeBody(chunk: Uint8Array): void {
    this.take(this.body, chunk);
  }

  bodyEnded(): void {
    this.body.ended = true;
  }

  answerBegun(status: number, headers: Headers): void {
    this.head = { status, headers };
  }

  takeAnswer(chunk: Uint8Array): void {
    if (this.of.request.method !== 'HEAD') this.take(this.answer, chunk);
  }

  answerEnded(): void {
    this.answer.ended = true;
  }

  /** Nothing comes of it. */
  skip(reason: SkipReason): void {
    if (this.isOver) return;
    this.isOver = true;
    this.keeper.skip(this, reason);
  }

  /** The original is over. */
  originalOver(ended: Ended, { requestId, clientAddress }: Pick<ShadowCopy, 'requestId' | 'clientAddress'>): void {
    if (this.isOver) return;
    this.ended = ended;
    this.clientAddress = clientAddress;
    this.tookMs = performance.now() - this.startedMs;
    this.requestId = requestId;
    if (!this.head || !this.answer.ended) return this.skip('unanswered');
    if (!this.body.ended) return this.skip('unread');
    this.isOver = true;
    this.keeper.complete(this);
  }

  /** The body, to be read once more. */
  source(): ByteSource {
    return new MemorySource(this.body.chunks);
  }

  /** What the client got. */
  get answered(): WholeAnswer {
    return { ...this.head!, body: this.answer.chunks, bodyBytes: this.answer.bytes };
  }

  private take(record: Taken, chunk: Uint8Array): void {
    if (this.isOver) return;
    if (!record.add(chunk)) return this.skip('tooLarge');
    if (!this.keeper.hold(chunk.length)) return this.skip('busy');
    this.heldBytes += chunk.length;
  }
}

/** Bytes that are all there. */
class MemorySource implements ByteSource {
  onReadable: (() => void) | null = null;
  private next = 0;
  private offset = 0;

  constructor(private readonly chunks: readonly Uint8Array[]) {}

  get isEmpty(): boolean {
    return this.chunks.length === 0;
  }

  read(max: number): Uint8Array | typeof EOF {
    const chunk = this.chunks[this.next];
    if (!chunk) return EOF;
    const part = chunk.subarray(this.offset, this.offset + max);
    this.offset += part.length;
    if (this.offset >= chunk.length) {
      this.next++;
      this.offset = 0;
    }
    return part;
  }

  cancel(): void {
    this.next = this.chunks.length;
  }

  trailers(): Headers | null {
    return null;
  }
}
