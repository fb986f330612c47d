/**
 * The state group of each channel that has stores in files of a node: channels that share a store, directly or by way of others, are in
 * one group, which has the name of its first store in alphabetical order. So a group keeps its name, and with it its home, as long as that
 * store is part of it.
 * @param stores by the channel's key: ids of its stores in files; channels without any are left out of the answer
 */
export function stateGroups(stores: ReadonlyMap<string, readonly string[]>): Map<string, string> {
  const parents = new Map<string, string>();
  const rootOf = (store: string): string => {
    const parent = parents.get(store) ?? store;
    if (parent === store) return store;
    const root = rootOf(parent);
    parents.set(store, root);
    return root;
  };
  for (const [first, ...others] of stores.values()) {
    for (const other of others) {
      const [low, high] = [rootOf(first!), rootOf(other)].sort() as [string, string];
      parents.set(high, low);
    }
  }
  return new Map([...stores].flatMap(([key, [first]]) => (first === undefined ? [] : [[key, rootOf(first)] as const])));
}
