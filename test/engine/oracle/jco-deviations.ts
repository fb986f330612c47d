import { flat, type WitType } from './wit-type.js';

/** What jco 1.35 reads or writes otherwise than the specification says. The engine's own guests then stand in for jco's. */
const DEVIATIONS: { why: string; concerns(type: WitType): boolean }[] = [
  {
    why: 'options three deep lose a level',
    concerns: (type) => type.k === 'option' && type.of.k === 'option' && type.of.of.k === 'option',
  },
  {
    why: 'a negative integer below 64 bit in a place that a case shares with an i64 is read without its sign',
    concerns: (type) => casesOf(type).some((payload) => payload !== null && hasSmallSigned(payload)) && flat(type).includes('i64'),
  },
  {
    why: 'what is thrown is made into text, which fails on an object with a key `toString`',
    concerns: (type) => type.k === 'result' && type.err !== null && cannotBeText(type.err),
  },
];

function cannotBeText(type: WitType): boolean {
  const labels = type.k === 'flags' ? type.labels : type.k === 'record' ? type.fields.map(([label]) => label) : [];
  return labels.some((label) => label === 'to-string' || label === 'value-of') || parts(type).some(cannotBeText);
}

function casesOf(type: WitType): (WitType | null)[] {
  switch (type.k) {
    case 'variant': return type.cases.map(([, payload]) => payload);
    case 'result': return [type.ok, type.err];
    default: return [];
  }
}

function parts(type: WitType): WitType[] {
  switch (type.k) {
    case 'list': case 'option': return [type.of];
    case 'tuple': return type.of;
    case 'record': return type.fields.map(([, field]) => field);
    default: return casesOf(type).filter((payload) => payload !== null);
  }
}

function hasSmallSigned(type: WitType): boolean {
  if (type.k === 'primitive') return /^s(8|16|32)$/.test(type.name);
  return type.k !== 'list' && parts(type).some(hasSmallSigned);
}

/** Whether jco is no oracle for this type. */
export function deviates(type: WitType): boolean {
  return DEVIATIONS.some(({ concerns }) => concerns(type)) || parts(type).some(deviates);
}
