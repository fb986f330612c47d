import type { AppName, ChannelName } from '#contract/ids.js';
import type { AppLane } from '#runtime/trigger/version-host.js';

/** Names one channel of one app. */
export interface AppKey {
  app: AppName;
  channel: ChannelName;
}

/** The key as text, for maps; neither name can hold a slash. */
export function toKey({ app, channel }: AppKey): string {
  return `${app}/${channel}`;
}

export function toAppLane({ org, app, channel, generation, hosts, serve, keyHeader, shadow, variables, variablesRevision, runtime }: AppLane): AppLane {
  return { org, app, channel, generation, hosts, serve, ...(keyHeader !== undefined && { keyHeader }), ...(shadow && { shadow }), variables, variablesRevision, runtime };
}
