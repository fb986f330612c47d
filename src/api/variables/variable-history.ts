/** A variable with its value in the open. */
export interface OpenVariable {
  /** Empty: in every channel that has no value of its own. */
  channel: string;
  name: string;
  secret: boolean;
  value: string;
}

/** What it takes to have the values of a time again, and what of it is left as it is. */
export interface ValueChanges {
  put: OpenVariable[];
  remove: { channel: string; name: string }[];
  /** Names of values that are other ones by now, and hold in other channels too. */
  left: string[];
}

/**
 * What differs between the values of now and of a time, for one channel. Values that hold in all channels are given back only where the app has no other channel:
 * a rollback of one takes nothing from the others. Pure.
 */
export function valueChanges(now: readonly OpenVariable[], then: readonly OpenVariable[], { channel, isOnly }: { channel: string; isOnly: boolean }): ValueChanges {
  const keyOf = (variable: Pick<OpenVariable, 'channel' | 'name'>): string => `${variable.channel}\n${variable.name}`;
  const [present, past] = [new Map(now.map((each) => [keyOf(each), each])), new Map(then.map((each) => [keyOf(each), each]))];
  const isOurs = (variable: Pick<OpenVariable, 'channel'>): boolean => variable.channel === channel || (isOnly && variable.channel === '');
  const put = then.filter((each) => present.get(keyOf(each))?.value !== each.value);
  const remove = now.filter((each) => !past.has(keyOf(each)));
  const left = [...put, ...remove].filter((each) => !isOurs(each) && each.channel === '').map(({ name }) => name);
  return { put: put.filter(isOurs), remove: remove.filter(isOurs).map((each) => ({ channel: each.channel, name: each.name })), left: [...new Set(left)].sort() };
}

/** The names of what is given back. */
export function namesOf({ put, remove }: ValueChanges): string[] {
  return [...new Set([...put, ...remove].map(({ name }) => name))].sort();
}
