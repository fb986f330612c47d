/**
 * Where a layer of runtime configuration belongs; the weakest first:
 *
 *   file                      WHORL_RUNTIME_CONFIG of the control plane
 *   platform                  PUT /v1/runtime-config
 *   app/<id>                  PUT /v1/apps/{app}/runtime-config
 *   channel/<id>/<channel>    PUT /v1/apps/{app}/channels/{channel}/runtime-config
 */
export type ConfigPlace = 'file' | 'platform' | `app/${string}` | `channel/${string}/${string}`;

export const placeOf = (appId: string, channel?: string): ConfigPlace => (channel === undefined ? `app/${appId}` : `channel/${appId}/${channel}`);

/** The layers that one channel of an app has, the weakest first. */
export const placesFor = (appId: string, channel: string): ConfigPlace[] => ['file', 'platform', placeOf(appId), placeOf(appId, channel)];
