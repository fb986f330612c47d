import type { Standing } from './judge-fleet.js';
import type { LabelRule, PlacementChannel } from './placement-channel.js';
import type { PlacementNode, Taint } from './placement-node.js';

export type RefusalCode =
  | 'unknown' | 'removed' | 'lost' | 'sick' | 'draining' | 'cordoned' | 'returned' | 'engine' | 'capability' | 'affinity' | 'taint';

/** Why a channel is not put on a node, whatever room there is. */
export interface Refusal {
  code: RefusalCode;
  /** In words with figures. */
  reason: string;
  /** What is there moves away; otherwise it stays and nothing new comes. */
  moves: boolean;
}

/** The first thing that speaks against the node for the channel; undefined when nothing does. */
export function refusalOf(node: PlacementNode | undefined, standing: Standing, channel: PlacementChannel): Refusal | undefined {
  return ofStanding(node, standing) ?? (node && (ofSupport(node, channel) ?? ofRules(node, channel) ?? ofWish(node, standing)));
}

function ofStanding(node: PlacementNode | undefined, standing: Standing): Refusal | undefined {
  if (standing.kind === 'removed') return { code: 'removed', reason: 'removed from the fleet', moves: true };
  if (!node) return { code: 'unknown', reason: 'not known any more, and not removed', moves: true };
  if (standing.kind === 'lost') return { code: 'lost', reason: `lost: not heard of for ${((standing.silentMs ?? 0) / 1000).toFixed(1)} s`, moves: true };
  if (node.sickness !== null) return { code: 'sick', reason: `says that it cannot serve: ${node.sickness}`, moves: true };
  if (node.wanted === 'draining') return { code: 'draining', reason: 'draining', moves: true };
  return undefined;
}

function ofSupport(node: PlacementNode, channel: PlacementChannel): Refusal | undefined {
  if (!node.engines.some((engine) => channel.engines.includes(engine))) {
    return { code: 'engine', reason: `runs ${list('engine', node.engines)}; built for ${channel.engines.length > 0 ? list('engine', channel.engines) : 'none yet'}`, moves: true };
  }
  const lacking = channel.capabilities.filter((name) => !node.capabilities.includes(name));
  return lacking.length > 0 ? { code: 'capability', reason: `does not support ${lacking.join(', ')}`, moves: true } : undefined;
}

function ofRules(node: PlacementNode, channel: PlacementChannel): Refusal | undefined {
  const broken = channel.affinity.required.find((rule) => !matches(node, rule));
  if (broken) {
    const has = node.labels[broken.label];
    return { code: 'affinity', reason: `label ${broken.label} is ${has === undefined ? 'not set' : `"${has}"`}, must be ${broken.operator === 'in' ? 'one' : 'none'} of ${broken.values.join(', ')}`, moves: true };
  }
  const untolerated = node.taints.filter((taint) => !tolerates(channel, taint));
  const taint = untolerated.find(({ effect }) => effect === 'move') ?? untolerated[0];
  return taint && { code: 'taint', reason: `taint ${taint.key}=${taint.value} is not tolerated`, moves: taint.effect === 'move' };
}

/** What only keeps new replicas away comes last, so that it never hides what moves them. */
function ofWish(node: PlacementNode, standing: Standing): Refusal | undefined {
  if (node.wanted === 'cordoned') return { code: 'cordoned', reason: 'cordoned: gets nothing new', moves: false };
  return standing.kind === 'returned' ? { code: 'returned', reason: 'came back a moment ago: gets nothing new yet', moves: false } : undefined;
}

/** How many of the channel's preferred rules the node meets. */
export function preferenceOf(node: PlacementNode, channel: PlacementChannel): number {
  return channel.affinity.preferred.filter((rule) => matches(node, rule)).length;
}

function matches(node: PlacementNode, { label, operator, values }: LabelRule): boolean {
  const value = node.labels[label];
  return (value !== undefined && values.includes(value)) === (operator === 'in');
}

function tolerates({ tolerations }: PlacementChannel, taint: Taint): boolean {
  return tolerations.some(({ key, value }) => key === taint.key && (value === undefined || value === taint.value));
}

const list = (what: string, names: readonly string[]): string => `${what}${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
