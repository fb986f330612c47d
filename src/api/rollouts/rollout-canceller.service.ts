import { Injectable, type OnModuleInit } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { OperationsService } from '../operations/operations.service.js';
import { ApprovalsService } from './approvals.service.js';

/** An operation that is a rollout is cancelled by ending that. */
@Injectable()
export class RolloutCanceller implements OnModuleInit {
  constructor(
    private readonly operations: OperationsService,
    private readonly approvals: ApprovalsService,
  ) {}

  onModuleInit(): void {
    this.operations.onCancel(['deploy', 'rollout', 'rollback'], async ({ id, target, rollout }, by) => {
      if (!rollout) throw new WhorlError('API_OPERATION_NOT_CANCELLABLE', `operation ${id} has no rollout`);
      await this.approvals.abort(String(target['app']), rollout.rollout, `operation ${id} was cancelled`, { causedBy: by, ifMatch: undefined });
    });
  }
}
