import { Injectable } from '@nestjs/common';
import { GrantsService } from '../../runtime-config/grants.service.js';
import type { News } from '../placement/news.js';
import { StampRepository } from '../stamp.repository.js';
import type { ChannelMeasure } from './autoscaler.js';
import { storesInFiles } from './channel-row.js';
import { World } from './world.js';
import { WorldRepository } from './world.repository.js';

/** Reads what the scheduler's leader decides on; each time what is new alone. */
@Injectable()
export class WorldService {
  constructor(
    private readonly repository: WorldRepository,
    private readonly stamps: StampRepository,
    private readonly grants: GrantsService,
  ) {}

  /** What all nodes together measured of each channel; undefined: no node has. */
  async measures(world: World): Promise<ReadonlyMap<string, ChannelMeasure> | undefined> {
    const loads = await this.repository.loads();
    if (loads.length === 0) return undefined;
    const measures = new Map<string, ChannelMeasure>();
    for (const { spanMs, channels } of loads) {
      for (const load of channels) {
        const id = world.idOf(load);
        if (id === undefined) continue;
        const { concurrency, milliCores } = measures.get(id) ?? { concurrency: 0, milliCores: 0 };
        measures.set(id, { concurrency: concurrency + load.inFlight, milliCores: milliCores + (spanMs > 0 ? (load.cpuMs / spanMs) * 1000 : 0) });
      }
    }
    return measures;
  }

  /** Brings a world up to date. Answers what is new since it was last read. */
  async read(world: World): Promise<News> {
    const { horizon } = await this.stamps.horizon();
    const since = world.horizon;
    const [channels, nodes, pulse] = await Promise.all([this.repository.channelsSince(since), this.repository.nodesSince(since), this.repository.pulse()]);
    const there = channels.filter(({ row }) => !row.isGone);
    const rows = there.map(({ row }) => row);
    const [facts, grants] = await Promise.all([this.repository.factsOf(rows), this.grants.of(rows)]);
    world.take({
      channels: there.map(({ row, scale }, i) => ({ row, scale, facts: facts[i]!, stores: storesInFiles(row, facts[i]!, grants[i]!) })),
      gone: channels.flatMap(({ row }) => (row.isGone ? [row.id] : [])),
      nodes,
      pulse,
    });
    world.horizon = horizon;
    return world.news();
  }
}

