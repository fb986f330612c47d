import type { ResourceType } from '#engine/run/resource.js';
import type { CallContext, Codec, PipeType } from './codec.js';

function handleCodec(take: (cx: CallContext, handle: number) => unknown, put: (cx: CallContext, value: unknown) => number): Codec {
  return {
    size: 4,
    align: 4,
    flat: ['i32'],
    load: (cx, ptr) => take(cx, cx.view.getUint32(ptr, true)),
    store: (cx, ptr, value) => cx.view.setUint32(ptr, put(cx, value), true),
    lift: (cx, values, at) => take(cx, (values[at] as number) >>> 0),
    lower: (cx, values, at, value) => {
      values[at] = put(cx, value) | 0;
    },
  };
}

export function ownCodec(type: ResourceType): Codec {
  return handleCodec((cx, handle) => cx.handles.takeOwn(type, handle), (cx, value) => cx.handles.addOwn(type, value));
}

export function borrowCodec(type: ResourceType): Codec {
  return handleCodec((cx, handle) => cx.handles.borrow(type, handle, cx.lends), (cx, value) => cx.handles.addBorrow(type, value));
}

export function pipeCodec(type: PipeType): Codec {
  return handleCodec((cx, handle) => cx.handles.takePipe(type, handle), (cx, value) => cx.handles.addPipe(type, value));
}

export const ERROR_CONTEXT: Codec = handleCodec(
  (cx, handle) => cx.handles.takeErrorContext(handle),
  (cx, value) => cx.handles.addErrorContext(value),
);
