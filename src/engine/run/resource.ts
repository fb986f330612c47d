/** A resource type of a plan, shared by all slots. Two handles are of one type when they hold the same object. */
export class ResourceType {
  readonly name: string;

  /** `instance`: component instance that defines it, -1 when the host does. */
  constructor(name: string, readonly instance: number) {
    // what a component defines need not have a name
    this.name = name || 'resource';
  }

  get isHost(): boolean {
    return this.instance < 0;
  }
}

/**
 * A guest's resource outside its component instance: the host and other components hold this, the representation stays inside.
 * `home` names the life of the slot that it belongs to: after a reset it is another one, and the resource is of no use any more.
 */
export class GuestResource {
  moved = false;

  constructor(readonly home: object, readonly type: ResourceType, readonly rep: number, readonly owned: boolean) {}
}
