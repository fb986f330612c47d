// One keep-alive HTTP/1.1 connection in a closed loop, on a bare socket: an HTTP client would cost more than the servers measured.
import { connect } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKED_END = Buffer.from('0\r\n\r\n');
const OK = Buffer.from('HTTP/1.1 200');

/**
 * Sends `request` (the bytes of one request) again as soon as the answer before is whole. Calls `onAnswer(ms)` for each; when that
 * returns false the connection closes. An answer other than 200, or none, goes to `onError`.
 */
export class Connection {
  pending = null;
  /** Length and head length of the answer before: the next one is mostly alike, and then need not be read in full. */
  usual = { total: 0, head: 0, chunked: false };
  startedMs = 0;
  closed = false;

  constructor({ port, request, onAnswer, onError }) {
    Object.assign(this, { request, onAnswer, onError });
    this.socket = connect({
      port, host: '127.0.0.1', noDelay: true,
      onread: { buffer: Buffer.allocUnsafe(65536), callback: (length, buffer) => { this.take(buffer.subarray(0, length)); return true; } },
    });
    this.socket.once('connect', () => this.send());
    this.socket.once('error', (error) => this.fail(error));
    this.socket.once('close', () => this.fail(new Error('the server closed the connection')));
  }

  send() {
    this.startedMs = performance.now();
    this.socket.write(this.request);
  }

  take(bytes) {
    const answer = this.pending ? Buffer.concat([this.pending, bytes]) : bytes;
    const whole = this.isUsual(answer) || this.isWhole(answer);
    if (!whole) {
      this.pending = this.pending ? answer : Buffer.from(answer);
      return;
    }
    this.pending = null;
    if (answer.compare(OK, 0, OK.length, 0, OK.length) !== 0) return this.fail(new Error(answer.toString('latin1').slice(0, 200)));
    if (this.onAnswer(performance.now() - this.startedMs)) this.send();
    else this.close();
  }

  isUsual(answer) {
    const { total, head, chunked } = this.usual;
    if (answer.length !== total || answer.compare(HEAD_END, 0, 4, head - 4, head) !== 0) return false;
    return !chunked || answer.compare(CHUNKED_END, 0, 5, total - 5, total) === 0;
  }

  isWhole(answer) {
    const at = answer.indexOf(HEAD_END);
    if (at < 0) return false;
    const head = at + 4;
    const text = answer.toString('latin1', 0, head).toLowerCase();
    const length = /\r\ncontent-length: *(\d+)/.exec(text)?.[1];
    const chunked = length === undefined;
    if (chunked && !text.includes('\r\ntransfer-encoding: chunked')) throw new Error(`an answer without a length: ${text}`);
    const whole = chunked ? answer.subarray(-5).equals(CHUNKED_END) : answer.length === head + Number(length);
    if (whole) this.usual = { total: answer.length, head, chunked };
    return whole;
  }

  fail(error) {
    if (this.closed) return;
    this.close();
    this.onError(error);
  }

  close() {
    this.closed = true;
    this.socket.destroy();
  }
}
