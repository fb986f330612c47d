import type { Assignment } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import { previewLane } from '#contract/hosts.js';
import type { ChannelName, Digest } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import type { AskedPreview } from '#runtime/trigger/preview-arrivals.js';
import { AppHolder, type AppRunners } from './app-holder.js';
import { type AppKey, toKey } from './app-lane.js';
import { blobsOf } from './artifact-blobs.js';
import { Turnstile } from './turnstile.js';

/** Anybody may ask for hosts of versions that are not there: the control plane is asked for one so often, and for so many at a time. */
const REFUSED_FOR_MS = 5_000;
const MAX_REFUSALS = 1_000;
const ASKED_AT_A_TIME = 4;
/** Values of one that is used are at most so old, and of one that is not. */
const REFRESH_MS = 10_000;
const UNUSED_REFRESH_MS = 60_000;
/** The least recently used one goes for another. */
const MAX_PREVIEWS = 200;

export interface PreviewsOptions {
  /** What the control plane says of it now; null: there is no such version. Rejects with NODE_CONTROL_PLANE_UNREACHABLE or NODE_CONTROL_PLANE_REFUSED. */
  ask(preview: AskedPreview): Promise<Assignment | null>;
  resolve(assignment: Assignment): Assignment;
  runners: AppRunners;
  /** One is dropped after so long without a request. */
  idleMs: number;
  log: Log;
}

interface Preview {
  asked: AskedPreview;
  holder: AppHolder;
  /** undefined: it is being dropped. */
  assignment: Assignment | undefined;
  usedAtMs: number;
  askedAtMs: number;
}

/**
 * Versions that this node serves by themselves, because somebody asked for them by their host. They are no part of what the node is assigned, and not in its
 * snapshot: each is fetched when it is asked for, taken up anew while it is used, and dropped when it is not.
 */
export class Previews {
  private readonly previews = new Map<string, Preview>();
  private readonly opening = new Map<string, Promise<void>>();
  private readonly refusals = new Map<string, { error: WhorlError; untilMs: number }>();
  private readonly turnstile = new Turnstile(ASKED_AT_A_TIME);
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: PreviewsOptions) {
    this.timer = setInterval(() => void this.look(Date.now()), Math.min(REFRESH_MS, options.idleMs)).unref();
  }

  /** Resolves when every runner serves it. Rejects with NODE_PREVIEW_UNKNOWN, NODE_CONTROL_PLANE_UNREACHABLE, or what keeps it from being prepared. */
  open(asked: AskedPreview): Promise<void> {
    const key = keyOf(asked);
    const refusal = this.refusals.get(key);
    if (refusal && Date.now() < refusal.untilMs) return Promise.reject(refusal.error);
    let opening = this.opening.get(key);
    if (!opening) {
      opening = this.turnstile.run(() => this.fetch(key, asked)).catch((error: WhorlError) => {
        this.refuse(key, error);
        throw error;
      }).finally(() => this.opening.delete(key));
      this.opening.set(key, opening);
    }
    return opening;
  }

  /** Somebody has used these lanes. */
  used(lanes: Iterable<AppKey>): void {
    for (const lane of lanes) {
      const preview = this.previews.get(toKey(lane));
      if (preview) preview.usedAtMs = Date.now();
    }
  }

  holder(app: AppKey): AppHolder | undefined {
    return this.previews.get(toKey(app))?.holder;
  }

  /** What one is served by. */
  assignment(app: AppKey): Assignment | undefined {
    return this.previews.get(toKey(app))?.assignment;
  }

  /** Whether a blob must stay on disk. */
  holds(digest: Digest): boolean {
    return [...this.previews.values()].some(({ assignment }) => assignment?.versions.some((artifact) => [...blobsOf(artifact)].includes(digest)));
  }

  stop(): void {
    clearInterval(this.timer);
    for (const { holder } of this.previews.values()) holder.stop();
  }

  private async fetch(key: string, asked: AskedPreview): Promise<void> {
    const assignment = await this.options.ask(asked);
    if (!assignment) throw new WhorlError('NODE_PREVIEW_UNKNOWN', `${asked.app} has no version ${asked.version} whose bytes are there`);
    const preview = this.previews.get(key) ?? this.make(key, asked);
    const now = Date.now();
    Object.assign(preview, { assignment, usedAtMs: now, askedAtMs: now });
    preview.holder.assign(this.options.resolve(assignment));
    await preview.holder.settled();
    const status = preview.holder.status();
    if (status && status.generation > 0 && status.generation === assignment.generation) return;
    const [failure] = status?.failed ?? [];
    this.drop(preview);
    throw new WhorlError((failure?.code ?? 'NODE_APP_NOT_READY') as WhorlError['code'], failure?.message ?? `the preview of version ${asked.version} was not started`);
  }

  private make(key: string, asked: AskedPreview): Preview {
    const { runners, log } = this.options;
    const others = [...this.previews.values()].filter(({ assignment }) => assignment !== undefined);
    if (others.length >= MAX_PREVIEWS) this.drop(others.reduce((oldest, each) => (each.usedAtMs < oldest.usedAtMs ? each : oldest)));
    const app = { app: asked.app, channel: previewLane(asked.version) as ChannelName };
    const preview: Preview = { asked, holder: new AppHolder(app, runners, () => undefined, log), assignment: undefined, usedAtMs: 0, askedAtMs: 0 };
    this.previews.set(key, preview);
    return preview;
  }

  /** Drops what nobody uses, and takes up what has changed of the rest. */
  private async look(nowMs: number): Promise<void> {
    for (const [key, refusal] of this.refusals) if (nowMs >= refusal.untilMs) this.refusals.delete(key);
    for (const [key, preview] of this.previews) {
      if (!preview.assignment) {
        if (preview.holder.isGone && !this.opening.has(key)) this.previews.delete(key);
      } else if (nowMs - preview.usedAtMs >= this.options.idleMs) {
        this.drop(preview);
      } else if (preview.usedAtMs > preview.askedAtMs || nowMs - preview.askedAtMs >= UNUSED_REFRESH_MS) {
        await this.refresh(preview).catch((error: unknown) => this.options.log.warn('a preview goes on with the values that it has', { ...preview.asked, reason: (error as Error).message }));
      }
    }
  }

  private async refresh(preview: Preview): Promise<void> {
    const askedAtMs = Date.now();
    const now = await this.options.ask(preview.asked);
    const { assignment: held } = preview;
    if (!held) return;
    // The version is gone, or the app is another one of the same name: the next request asks for that.
    if (!now || now.versions[0]?.digest !== held.versions[0]?.digest) return this.drop(preview);
    preview.askedAtMs = askedAtMs;
    if (now.variablesRevision === held.variablesRevision) return;
    preview.assignment = now;
    preview.holder.assign(this.options.resolve(now));
  }

  /** Its bytes go with the next sweep of the disk. */
  private drop(preview: Preview): void {
    preview.assignment = undefined;
    preview.holder.assign(undefined);
  }

  private refuse(key: string, error: WhorlError): void {
    const [oldest] = this.refusals.keys();
    if (this.refusals.size >= MAX_REFUSALS && oldest !== undefined) this.refusals.delete(oldest);
    this.refusals.set(key, { error, untilMs: Date.now() + REFUSED_FOR_MS });
  }
}

const keyOf = ({ app, version }: AskedPreview): string => `${app}/${previewLane(version)}`;
