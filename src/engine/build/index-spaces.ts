import { LinkError } from './build-error.js';

/** The index spaces of one component or type (Component Model, Binary.md): by sort, what was defined, in order. */
export class IndexSpaces<Spaces extends object> {
  private readonly spaces: { [K in keyof Spaces]?: Spaces[K][] } = {};

  add<K extends keyof Spaces & string>(space: K, entity: Spaces[K]): void {
    const list = (this.spaces[space] ??= [] as never) as Spaces[K][];
    list.push(entity);
  }

  /** Throws LinkError for an index that nothing has. */
  get<K extends keyof Spaces & string>(space: K, index: number): Spaces[K] {
    const list = this.spaces[space] as Spaces[K][] | undefined;
    const entity = list?.[index];
    if (entity === undefined) throw new LinkError('invalid', `there is no ${space} ${index}`);
    return entity;
  }
}
