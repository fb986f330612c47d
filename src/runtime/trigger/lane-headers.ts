import type { IncomingHttpHeaders } from 'node:http';
import type { AppName, ChannelName } from '#contract/ids.js';

/**
 * What the shared lane tells the heavy lane of a request, in header fields between the two. The heavy lane listens on a socket in the
 * node's folder alone, and clients' own fields of these names are never passed on.
 */
export interface HandedOver {
  app: AppName;
  channel: ChannelName;
  version: number;
  requestId: string;
  clientAddress: string;
  /** For the answer. */
  setCookie: string | null;
}

export function toLaneHeaders({ app, channel, version, requestId, clientAddress, setCookie }: HandedOver): string[] {
  return [
    'whorl-app', app,
    'whorl-channel', channel,
    'whorl-version', String(version),
    'whorl-request-id', requestId,
    'whorl-client-addr', clientAddress,
    ...(setCookie === null ? [] : ['whorl-set-cookie', setCookie]),
  ];
}

/** undefined: not a request from the shared lane. */
export function readLaneHeaders(headers: IncomingHttpHeaders): HandedOver | undefined {
  const text = (name: string) => headers[name] as string | undefined;
  const app = text('whorl-app');
  const channel = text('whorl-channel');
  const requestId = text('whorl-request-id');
  const clientAddress = text('whorl-client-addr');
  const version = Number(text('whorl-version'));
  if (!app || !channel || !requestId || !clientAddress || !Number.isInteger(version)) return undefined;
  return { app: app as AppName, channel: channel as ChannelName, version, requestId, clientAddress, setCookie: text('whorl-set-cookie') ?? null };
}
