import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import type { Err } from '#engine/run/host.js';
import { EFFECT_REFUSED, refusesEffect } from '../effect.js';
import type { GuestState } from '../guest.js';
import { IoError, lastOperationFailed, type StreamError } from '../io/io-error.js';
import { NO_MORE, OutputStream, WRITE_PERMIT_BYTES } from '../io/output-stream.js';
import { BlobError } from './blob-error.js';
import type { ObjectId } from './blob-index.js';
import { blobStoreOf, type BlobStore } from './blob-store.js';

class BodyStream extends OutputStream {
  constructor(private readonly value: OutgoingValue) {
    super();
  }

  permit(): number {
    return this.value.isOpen ? WRITE_PERMIT_BYTES : NO_MORE;
  }

  put(chunk: Uint8Array): Err<StreamError> | undefined {
    const fault = this.value.write(chunk);
    return fault === null ? undefined : lastOperationFailed(new IoError(fault));
  }
}

/** `outgoing-value`: what becomes an object when it is finished, and nothing before. Written to a file as it comes. */
export class OutgoingValue {
  isOpen = true;
  private streamed = false;
  private target: ObjectId | null = null;
  private fd: number | null = null;
  private bytes = 0;
  private fault: string | null = null;
  private store: BlobStore | null = null;
  private file = '';

  constructor(private readonly state: GuestState) {
    state.defer(() => this.discard());
  }

  /** undefined: it was taken already. */
  body(): OutputStream | undefined {
    if (this.streamed) return undefined;
    this.streamed = true;
    return new BodyStream(this);
  }

  /** Where it goes when it is finished. */
  aimAt(target: ObjectId): void {
    this.target = target;
  }

  /** Why it was not taken; null: it was. */
  write(chunk: Uint8Array): string | null {
    const maxBytes = this.state.grant.settings.blobstoreBytes;
    try {
      if (refusesEffect(this.state)) throw new BlobError(EFFECT_REFUSED);
      const store = this.opened();
      if (store.index.totalBytes + store.pendingBytes + chunk.length > maxBytes) throw new BlobError(`the app may keep ${maxBytes} bytes of objects`);
      for (let at = 0; at < chunk.length; ) at += writeSync(this.fd!, chunk, at);
      store.pendingBytes += chunk.length;
    } catch (error) {
      this.fault = textOf(error);
      this.discard();
      return this.fault;
    }
    this.bytes += chunk.length;
    return null;
  }

  /** Throws BlobError: nothing is kept then. */
  finish(): void {
    if (this.fault !== null) throw new BlobError(this.fault);
    if (!this.isOpen) throw new BlobError('the value is over');
    const { target } = this;
    try {
      if (target === null) throw new BlobError('the value was given to no container');
      if (refusesEffect(this.state)) throw new BlobError(EFFECT_REFUSED);
      this.state.invocation.effect?.();
      const store = this.opened();
      this.close();
      store.commit(target, this.file, this.bytes, this.state.grant.settings.blobstoreBytes);
    } finally {
      this.discard();
    }
  }

  /** Dropped unfinished, or its invocation is over: what was written is no object. */
  discard(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.close();
    if (!this.store) return;
    this.store.pendingBytes -= this.bytes;
    rmSync(this.store.incomingPath(this.file), { force: true });
  }

  /** With the file that is being written. Throws BlobError. */
  private opened(): BlobStore {
    if (this.store) return this.store;
    const store = blobStoreOf(this.state.grant);
    const file = store.newFile();
    this.fd = openSync(store.incomingPath(file), 'wx', 0o600);
    this.file = file;
    return (this.store = store);
  }

  private close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }
}

/** The message of an error of the system names a path of this machine: a guest gets the code alone. */
export function textOf(error: unknown): string {
  if (error instanceof BlobError) return error.message;
  return `the blobstore failed: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`;
}
