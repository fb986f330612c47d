import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { NodeReport } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import type { NodeHeartbeat, NodeReceipt } from '#contract/node-facts.js';
import { AdvanceService } from '../rollouts/advance.service.js';
import { Batcher } from './batcher.js';
import { DrainService } from './drain.service.js';
import { type Beat, type BeatResult, NodeMessageRepository, type NodeStanding } from './node-message.repository.js';

/** A heartbeat waits so long for others; nobody waits for the answer. */
const COLLECT_BEATS_MS = 50;
const MAX_BEATS = 500;

/** What nodes say of themselves. */
@Injectable()
export class NodesService {
  private readonly beats: Batcher<Beat, BeatResult>;

  constructor(
    private readonly messages: NodeMessageRepository,
    private readonly drains: DrainService,
    private readonly advance: AdvanceService,
  ) {
    this.beats = new Batcher((beats) => messages.beat(beats), COLLECT_BEATS_MS, MAX_BEATS);
  }

  /**
   * Takes a node's report; one that says something new moves the rollouts and drains that waited for it. One that is older than another that was
   * taken changes nothing. Throws API_INPUT_INVALID, API_NODE_REMOVED.
   */
  async report(node: string, report: NodeReport): Promise<NodeReceipt> {
    if (report.node !== node) throw new WhorlError('API_INPUT_INVALID', `node: expected ${node}`, { fields: { node: [`expected ${node}`] } });
    await this.requirePresent(node);
    const digest = digestOf(report);
    const isKnown = await this.messages.touch(report, digest);
    const isNew = !isKnown && (await this.messages.put(report, digest));
    const standing = (await this.messages.standing(node))!;
    if (isKnown || isNew) await this.messages.putLoad(report);
    if (isNew) {
      await this.drains.advance();
      await this.advance.advanceAll();
    }
    return this.receipt(node, standing, { isTaken: isKnown || isNew, startCount: report.startCount, wants: 'nothing' });
  }

  /** Throws API_NODE_REMOVED: a node that hears it lets go of all that it has. */
  async requirePresent(node: string): Promise<void> {
    requireWanted(node, await this.messages.standing(node));
  }

  /** Takes a heartbeat: nothing has changed since the report that it names. Asks for the whole when that is not the last one. Throws API_NODE_REMOVED. */
  async heartbeat(node: string, { startCount, sequence, reported, load }: NodeHeartbeat): Promise<NodeReceipt> {
    const { touched, standing } = await this.beats.take({ node, startCount, sequence, reported, load: load ?? null });
    requireWanted(node, standing);
    const isOld = standing !== undefined && standing.startCount === startCount && standing.sequence >= sequence;
    const isTaken = touched || standing === undefined || (standing.startCount <= startCount && !isOld);
    return this.receipt(node, standing, { isTaken, startCount, wants: touched || !isTaken ? 'nothing' : 'report' });
  }

  private async receipt(node: string, standing: NodeStanding | undefined, { isTaken, startCount, wants }: { isTaken: boolean; startCount: number; wants: NodeReceipt['wants'] }): Promise<NodeReceipt> {
    const isSuperseded = !isTaken && (standing?.startCount ?? 0) > startCount;
    const { mayGo, others } = standing?.farewell === 'leaving' ? await this.drains.departure(node) : { mayGo: false, others: false };
    return {
      taken: isTaken ? 'taken' : isSuperseded ? 'superseded' : 'old',
      startCount: standing?.startCount ?? 0,
      wants,
      mayGo,
      others,
      nowMs: Date.now(),
    };
  }
}

function requireWanted(node: string, standing: NodeStanding | undefined): void {
  if (standing?.wanted === 'removed') throw new WhorlError('API_NODE_REMOVED', `${node} was removed from the fleet`);
}

/** Of what a report says; its place in the order and the load are in each anew. */
function digestOf({ startCount: _start, sequence: _sequence, load: _load, ...said }: NodeReport): string {
  return createHash('sha256').update(JSON.stringify(said)).digest('hex');
}
