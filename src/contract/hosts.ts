import { DEFAULT_CHANNEL } from './ids.js';

/** Of a DNS label (RFC 1035, section 2.3.4). */
const MAX_LABEL = 63;
const PREVIEW = /^v([1-9][0-9]{0,9})$/;

/** The first label of the host of a lane: `<app>` for the channel `production`, else `<channel>--<app>`. */
export function labelOf(app: string, channel: string): string {
  return channel === DEFAULT_CHANNEL ? app : `${channel}--${app}`;
}

/** The host of a lane. */
export function hostOf(app: string, channel: string, domain: string): string {
  return `${labelOf(app, channel)}.${domain}`;
}

/** Whether the host can be: its first label is not too long. */
export function fitsHost(app: string, channel: string): boolean {
  return labelOf(app, channel).length <= MAX_LABEL;
}

/** The lane in which one version alone is served. */
export function previewLane(version: number): string {
  return `v${version}`;
}

/** The version that a lane is the preview of; undefined: it is a channel. */
export function previewedBy(channel: string): number | undefined {
  const [, digits] = PREVIEW.exec(channel) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
