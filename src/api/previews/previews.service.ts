import { Inject, Injectable } from '@nestjs/common';
import type { Assignment, Engines } from '#contract/assignment.js';
import { hostOf, previewLane } from '#contract/hosts.js';
import { DEFAULT_ORG, type VersionNumber } from '#contract/ids.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { AppsService } from '../apps/apps.service.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { VariablesService } from '../variables/variables.service.js';
import { PreviewRepository } from './preview.repository.js';
import type { PreviewSettings } from './preview.schema.js';

/** Versions that answer by themselves, on hosts of their own. */
@Injectable()
export class PreviewsService {
  constructor(
    private readonly repository: PreviewRepository,
    private readonly apps: AppsService,
    private readonly variables: VariablesService,
    private readonly grants: GrantsService,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** Throws API_APP_NOT_FOUND. */
  async settings(name: string): Promise<PreviewSettings> {
    return { access: await this.repository.access((await this.apps.get(name)).id) };
  }

  /** Opens or closes the previews of an app; nodes take it up within seconds. Throws API_APP_NOT_FOUND, API_STATE_CHANGED. */
  async set(name: string, { access }: PreviewSettings, ifMatch: string[] | undefined): Promise<PreviewSettings> {
    return this.apps.change(name, { ifMatch }, async (db, { id }) => {
      await this.repository.setAccess(db, id, access);
      return { access };
    });
  }

  /** What a node needs to answer for a version; null: there is no such app or version, or its bytes are gone, or no engine of the node runs it, or previews are closed. */
  async assignment(name: string, version: VersionNumber, engines: Engines): Promise<Assignment | null> {
    const app = await this.apps.find(name);
    const artifact = app && (await this.repository.artifact(app.id, version, engines));
    if (!app || !artifact) return null;
    const { channel } = app.channel;
    const [values] = await this.variables.valuesOf([{ appId: app.id, channel }]);
    const lane = previewLane(version);
    return {
      org: DEFAULT_ORG,
      app: app.name as Assignment['app'],
      channel: lane as Assignment['channel'],
      // Another app of this name goes on from there, and one version is all that is ever served.
      generation: app.variablesRevision + 1,
      hosts: [hostOf(app.name, lane, this.config.WHORL_APP_DOMAIN)],
      serve: [{ version, percent: 100 }],
      versions: [artifact],
      variables: values!,
      variablesRevision: app.variablesRevision,
      runtime: await this.grants.ofApp(app),
    };
  }
}
