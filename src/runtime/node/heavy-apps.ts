import { toKey, type AppKey } from './app-lane.js';

/** After so long without need of it, an app leaves the heavy lane. */
const EXPIRES_AFTER_MS = 5 * 60_000;

/** Which apps the heavy lane serves: those that were named lately. */
export class HeavyApps {
  private readonly marks = new Map<string, { app: AppKey; lastMs: number }>();

  /** True when the app was not marked before. */
  mark(app: AppKey, nowMs: number): boolean {
    const isNew = !this.marks.has(toKey(app));
    this.marks.set(toKey(app), { app: { app: app.app, channel: app.channel }, lastMs: nowMs });
    return isNew;
  }

  has(app: AppKey): boolean {
    return this.marks.has(toKey(app));
  }

  /** True when it was marked. */
  unmark(app: AppKey): boolean {
    return this.marks.delete(toKey(app));
  }

  list(): AppKey[] {
    return [...this.marks.values()].map(({ app }) => app);
  }

  /** Takes out and gives the ones whose time is up. */
  expire(nowMs: number): AppKey[] {
    const expired = [...this.marks.values()].filter(({ lastMs }) => nowMs - lastMs > EXPIRES_AFTER_MS).map(({ app }) => app);
    for (const app of expired) this.unmark(app);
    return expired;
  }
}
