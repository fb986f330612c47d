import type { Deadlines } from './deadlines.js';
import type { GuestPool, GuestSlot } from './guest-pool.js';
import { IdleInvocation } from './idle-invocation.js';
import type { Reuse } from './limits.js';
import type { Occupant } from './occupant.js';
import { SharedInstance, type SharedInstanceEvents } from './shared-instance.js';
import type { SlotPool } from './slot-pool.js';

/** Instances that serve several invocations (Spin's instance reuse). The slots are those of `fresh`, and go back to it when they retire. */
export class SharedPool implements GuestPool, SharedInstanceEvents {
  /** Those that are not retired. The youngest with room is taken, so that the others get old when less comes. */
  private readonly open: SharedInstance[] = [];
  private readonly instances = new Map<GuestSlot, SharedInstance>();
  private readonly idle = new IdleInvocation(null);

  constructor(private readonly fresh: SlotPool, private readonly reuse: Reuse, private readonly deadlines: Deadlines) {}

  /** A chained call gets an instance of its own at first: in its caller's it might wait for ever. */
  acquire({ isChained }: Occupant): GuestSlot {
    const instance = this.open.findLast((each) => each.hasRoom && (each.isEmpty || !isChained)) ?? this.add();
    instance.enter();
    return instance.slot;
  }

  /** Nothing is killed for the sake of one: `release` ends it as far as its guest lets it. */
  stop(): void {}

  release(slot: GuestSlot, occupant: Occupant): void {
    this.instances.get(slot)!.leave(occupant);
  }

  /** Instances end when the last one in them is over. */
  close(): void {
    while (this.open.length > 0) this.open.at(-1)!.retire();
  }

  retired(instance: SharedInstance): void {
    this.open.splice(this.open.indexOf(instance), 1);
    this.deadlines.remove(instance);
  }

  ended(instance: SharedInstance): void {
    const { slot } = instance;
    this.instances.delete(slot);
    for (const error of instance.clear(this.idle)) this.fresh.onError(error);
    this.fresh.takeBack(slot);
  }

  private add(): SharedInstance {
    const instance = new SharedInstance(this.fresh.acquire(), this.reuse, this);
    this.open.push(instance);
    this.instances.set(instance.slot, instance);
    this.deadlines.add(instance);
    return instance;
  }
}
