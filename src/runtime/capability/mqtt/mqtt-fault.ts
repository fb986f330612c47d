/** `error` of `fermyon:spin/mqtt@2.0.0` and `spin:mqtt/mqtt@3.0.0`. */
export type MqttError = { tag: 'invalid-address' } | { tag: 'too-many-connections' } | { tag: 'connection-failed'; val: string } | { tag: 'other'; val: string };

/** An error on its way to a guest. Its message names no password. */
export class MqttFault extends Error {
  override name = 'MqttFault';

  constructor(readonly error: MqttError) {
    super('val' in error ? error.val : error.tag);
  }
}

export const connectionFailed = (why: string): MqttFault => new MqttFault({ tag: 'connection-failed', val: why });
