import { Injectable } from '@nestjs/common';
import type { NodeReport } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import { AdvanceService } from '../rollouts/advance.service.js';
import { FleetService } from './fleet.service.js';

@Injectable()
export class NodesService {
  constructor(
    private readonly fleet: FleetService,
    private readonly advance: AdvanceService,
  ) {}

  /** Takes a node's report; one that says something new moves the rollouts that waited for it. */
  async report(node: string, report: NodeReport): Promise<void> {
    if (report.node !== node) throw new WhorlError('API_INPUT_INVALID', `node: expected ${node}`, { fields: { node: [`expected ${node}`] } });
    if (await this.fleet.record(report)) await this.advance.advanceAll();
  }
}
