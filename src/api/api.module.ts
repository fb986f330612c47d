import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import type { ControlConfig } from '#platform/config.js';
import { IdempotencyInterceptor } from '#platform/http/idempotency.interceptor.js';
import { IdempotencyRepository } from '#platform/http/idempotency.repository.js';
import { AppRepository } from './apps/app.repository.js';
import { AppsController } from './apps/apps.controller.js';
import { AppsService } from './apps/apps.service.js';
import { AuthModule } from './auth/auth.module.js';
import { TokenGuard } from './auth/token.guard.js';
import { ChannelRepository } from './channels/channel.repository.js';
import { ChannelsController } from './channels/channels.controller.js';
import { ChannelsService } from './channels/channels.service.js';
import { GatesService } from './channels/gates.service.js';
import { RulesService } from './channels/rules.service.js';
import { DiffController } from './diff/diff.controller.js';
import { DiffService } from './diff/diff.service.js';
import { VersionContentsRepository } from './diff/version-contents.repository.js';
import { CollectionRepository } from './collection/collection.repository.js';
import { CollectionsController } from './collection/collections.controller.js';
import { CollectionsService } from './collection/collections.service.js';
import { HoldingRepository } from './collection/holding.repository.js';
import { HoldingsService } from './collection/holdings.service.js';
import { KeepingController } from './collection/keeping.controller.js';
import { KeepingService } from './collection/keeping.service.js';
import { VersionPolicyRepository } from './collection/version-policy.repository.js';
import { DeployOnPushController } from './deploy-on-push/deploy-on-push.controller.js';
import { DeployOnPushRepository } from './deploy-on-push/deploy-on-push.repository.js';
import { DeployOnPushService } from './deploy-on-push/deploy-on-push.service.js';
import { DeployerService } from './deploy-on-push/deployer.service.js';
import { PushLedger } from './deploy-on-push/push-ledger.service.js';
import { TagPushRepository } from './deploy-on-push/tag-push.repository.js';
import { HealthController } from './health/health.controller.js';
import { HealthRepository } from './health/health.repository.js';
import { HealthService } from './health/health.service.js';
import { AuthorityRepository } from './identity/authority.repository.js';
import { IdentitiesController } from './identity/identities.controller.js';
import { IdentitiesService } from './identity/identities.service.js';
import { IdentityRepository } from './identity/identity.repository.js';
import { JoinTokenRepository } from './identity/join-token.repository.js';
import { JoinTokensController } from './identity/join-tokens.controller.js';
import { JoinTokensService } from './identity/join-tokens.service.js';
import { KeyringService } from './identity/keyring.service.js';
import { RotationService } from './identity/rotation.service.js';
import { StatementsService } from './identity/statements.service.js';
import { TrustService } from './identity/trust.service.js';
import { HistoryController } from './history/history.controller.js';
import { HistoryRepository } from './history/history.repository.js';
import { HistoryService } from './history/history.service.js';
import { LogRepository } from './logs/log.repository.js';
import { LogsController } from './logs/logs.controller.js';
import { LogsService } from './logs/logs.service.js';
import { PlatformCountsRepository } from './metrics/platform-counts.repository.js';
import { FleetService } from './nodes/fleet.service.js';
import { JournalRepository } from './nodes/journal.repository.js';
import { JournalService } from './nodes/journal.service.js';
import { BoundChannelsService } from './nodes/bound-channels.service.js';
import { DrainRepository } from './nodes/drain.repository.js';
import { DrainService } from './nodes/drain.service.js';
import { NodeMessageRepository } from './nodes/node-message.repository.js';
import { NodeResourceController } from './nodes/node-resource.controller.js';
import { NodeResourceRepository } from './nodes/node-resource.repository.js';
import { NodeResourceService } from './nodes/node-resource.service.js';
import { NodeRepository } from './nodes/node.repository.js';
import { NodesController } from './nodes/nodes.controller.js';
import { NodesService } from './nodes/nodes.service.js';
import { OperationRepository } from './operations/operation.repository.js';
import { OperationsController } from './operations/operations.controller.js';
import { OperationsService } from './operations/operations.service.js';
import { PoliciesController } from './policies/policies.controller.js';
import { PoliciesService } from './policies/policies.service.js';
import { PreviewRepository } from './previews/preview.repository.js';
import { PreviewsController } from './previews/previews.controller.js';
import { PreviewsService } from './previews/previews.service.js';
import { PolicyRepository } from './policies/policy.repository.js';
import { RetentionService } from './retention/retention.service.js';
import { AdvanceService } from './rollouts/advance.service.js';
import { ApprovalsController } from './rollouts/approvals.controller.js';
import { ApprovalsService } from './rollouts/approvals.service.js';
import { PlanService } from './rollouts/plan.service.js';
import { RolloutCanceller } from './rollouts/rollout-canceller.service.js';
import { RolloutRepository } from './rollouts/rollout.repository.js';
import { RolloutsController } from './rollouts/rollouts.controller.js';
import { RolloutsService } from './rollouts/rollouts.service.js';
import { JudgeService } from './rollouts/judge.service.js';
import { JudgementRepository } from './rollouts/judgement.repository.js';
import { SamplesController } from './rollouts/samples.controller.js';
import { SamplesService } from './rollouts/samples.service.js';
import { SettingsController } from './rollouts/settings.controller.js';
import { SettingsRepository } from './rollouts/settings.repository.js';
import { SettingsService } from './rollouts/settings.service.js';
import { StepperService } from './rollouts/stepper.service.js';
import { ValuesBackService } from './rollouts/values-back.service.js';
import { RoutesController } from './routes/routes.controller.js';
import { RoutesRepository } from './routes/routes.repository.js';
import { RoutesService } from './routes/routes.service.js';
import { AnnouncerService } from './rollouts/webhooks/announcer.service.js';
import { DelivererService } from './rollouts/webhooks/deliverer.service.js';
import { WebhookClient } from './rollouts/webhooks/webhook.client.js';
import { WebhookRepository } from './rollouts/webhooks/webhook.repository.js';
import { WebhooksController } from './rollouts/webhooks/webhooks.controller.js';
import { WebhooksService } from './rollouts/webhooks/webhooks.service.js';
import { GrantsService } from './runtime-config/grants.service.js';
import { RequirementsService } from './runtime-config/requirements.service.js';
import { RuntimeConfigController } from './runtime-config/runtime-config.controller.js';
import { RuntimeConfigRepository } from './runtime-config/runtime-config.repository.js';
import { RuntimeConfigService } from './runtime-config/runtime-config.service.js';
import { AssignmentsService } from './scheduler/assignments.service.js';
import { IndexService } from './scheduler/index.service.js';
import { LeaderService } from './scheduler/lead/leader.service.js';
import { WorldRepository } from './scheduler/lead/world.repository.js';
import { WorldService } from './scheduler/lead/world.service.js';
import { PlacementController } from './scheduler/placement.controller.js';
import { PlacementRepository } from './scheduler/placement.repository.js';
import { PlacementsService } from './scheduler/placements.service.js';
import { ScaleController } from './scheduler/scale/scale.controller.js';
import { ScaleRepository } from './scheduler/scale/scale.repository.js';
import { ScaleService } from './scheduler/scale/scale.service.js';
import { StateService } from './scheduler/state.service.js';
import { SchedulerRepository } from './scheduler/scheduler.repository.js';
import { SchedulerService } from './scheduler/scheduler.service.js';
import { StampRepository } from './scheduler/stamp.repository.js';
import { BrowseController } from './stores/browse.controller.js';
import { BrowseService } from './stores/browse.service.js';
import { StoreLinksService } from './stores/store-links.service.js';
import { StoreRequestRepository } from './stores/store-request.repository.js';
import { StoreRequestsController } from './stores/store-requests.controller.js';
import { StoreRequestsService } from './stores/store-requests.service.js';
import { StoreRepository } from './stores/store.repository.js';
import { StoresController } from './stores/stores.controller.js';
import { StoresService } from './stores/stores.service.js';
import { UploadRepository } from './uploads/upload.repository.js';
import { UploadsController } from './uploads/uploads.controller.js';
import { UploadsService } from './uploads/uploads.service.js';
import { StorageSampleRepository } from './usage/storage-sample.repository.js';
import { StorageUsageController } from './usage/storage-usage.controller.js';
import { StorageUsageService } from './usage/storage-usage.service.js';
import { UsageController } from './usage/usage.controller.js';
import { UsageRepository } from './usage/usage.repository.js';
import { UsageService } from './usage/usage.service.js';
import { SecretBox } from './variables/secret-box.js';
import { VariableHistoryRepository } from './variables/variable-history.repository.js';
import { VariableRepository } from './variables/variable.repository.js';
import { VariablesController } from './variables/variables.controller.js';
import { VariablesService } from './variables/variables.service.js';
import { RebuildService } from './versions/rebuild.service.js';
import { VersionBuildRepository } from './versions/version-build.repository.js';
import { VersionRepository } from './versions/version.repository.js';
import { VersionsController } from './versions/versions.controller.js';
import { VersionsService } from './versions/versions.service.js';

type ImportedModule = NonNullable<ModuleMetadata['imports']>[number];

/** One to a line, since many change them at a time. */
const CONTROLLERS = [
  ApprovalsController,
  AppsController,
  BrowseController,
  ChannelsController,
  PreviewsController,
  CollectionsController,
  DeployOnPushController,
  DiffController,
  HealthController,
  HistoryController,
  KeepingController,
  LogsController,
  // Before the routes of a node: `ca` and `join-tokens` are no nodes.
  IdentitiesController,
  JoinTokensController,
  NodeResourceController,
  NodesController,
  PlacementController,
  ScaleController,
  OperationsController,
  PoliciesController,
  RolloutsController,
  RoutesController,
  WebhooksController,
  RuntimeConfigController,
  SamplesController,
  SettingsController,
  StorageUsageController,
  StoreRequestsController,
  StoresController,
  UploadsController,
  UsageController,
  VariablesController,
  VersionsController,
];
const REPOSITORIES = [
  AppRepository,
  AuthorityRepository,
  ChannelRepository,
  PreviewRepository,
  CollectionRepository,
  DeployOnPushRepository,
  DrainRepository,
  HealthRepository,
  HistoryRepository,
  HoldingRepository,
  IdempotencyRepository,
  IdentityRepository,
  JoinTokenRepository,
  JournalRepository,
  JudgementRepository,
  LogRepository,
  NodeMessageRepository,
  NodeRepository,
  OperationRepository,
  PlatformCountsRepository,
  NodeResourceRepository,
  PolicyRepository,
  RolloutRepository,
  RoutesRepository,
  RuntimeConfigRepository,
  SchedulerRepository,
  StampRepository,
  PlacementRepository,
  ScaleRepository,
  WorldRepository,
  SettingsRepository,
  StorageSampleRepository,
  StoreRepository,
  StoreRequestRepository,
  TagPushRepository,
  UploadRepository,
  UsageRepository,
  VariableHistoryRepository,
  VariableRepository,
  VersionBuildRepository,
  VersionContentsRepository,
  VersionPolicyRepository,
  VersionRepository,
];
const SERVICES = [
  AdvanceService,
  ApprovalsService,
  AppsService,
  BoundChannelsService,
  BrowseService,
  ChannelsService,
  PreviewsService,
  GatesService,
  RulesService,
  CollectionsService,
  DeployOnPushService,
  DeployerService,
  DiffService,
  DrainService,
  FleetService,
  GrantsService,
  HealthService,
  HistoryService,
  HoldingsService,
  IdentitiesService,
  JoinTokensService,
  JournalService,
  JudgeService,
  KeepingService,
  KeyringService,
  LogsService,
  NodeResourceService,
  NodesService,
  OperationsService,
  PlanService,
  PoliciesService,
  PushLedger,
  RebuildService,
  RequirementsService,
  RetentionService,
  RolloutCanceller,
  RolloutsService,
  RotationService,
  RoutesService,
  RuntimeConfigService,
  SamplesService,
  SchedulerService,
  AssignmentsService,
  IndexService,
  LeaderService,
  PlacementsService,
  ScaleService,
  StateService,
  WorldService,
  SettingsService,
  StatementsService,
  StepperService,
  AnnouncerService,
  DelivererService,
  WebhookClient,
  WebhookRepository,
  WebhooksService,
  StorageUsageService,
  StoreLinksService,
  StoreRequestsService,
  StoresService,
  TrustService,
  UploadsService,
  UsageService,
  ValuesBackService,
  VariablesService,
  VersionsService,
];

/** The control plane's API. */
@Module({})
export class ApiModule {
  /** `registry` is a module that exports contract/registry's `Registry`. The guard and the interceptor hold for its routes as well. */
  static with(registry: ImportedModule): DynamicModule {
    return {
      module: ApiModule,
      imports: [AuthModule, registry],
      controllers: CONTROLLERS,
      providers: [
        ...REPOSITORIES,
        ...SERVICES,
        { provide: SecretBox, inject: [CONTROL_CONFIG], useFactory: (config: ControlConfig) => new SecretBox(Buffer.from(config.WHORL_SECRET_KEY, 'base64url')) },
        { provide: APP_GUARD, useClass: TokenGuard },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
      ],
    };
  }
}
