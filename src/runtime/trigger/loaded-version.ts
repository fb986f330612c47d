import type { VersionArtifact } from '#contract/artifact.js';
import type { LockedHttpTrigger } from '#contract/bundle/locked-app.js';
import { Routes, type RouteMatch } from '#contract/bundle/routes.js';
import { WhorlError } from '#contract/errors.js';
import type { Ending } from '#runtime/capability/ending.js';
import type { HttpExchange } from '#runtime/capability/guest.js';
import { checkFiles } from '#runtime/component/check-files.js';
import { ComponentProgram, type Synthetic } from '#runtime/component/component-program.js';
import { ClientGone } from '#runtime/component/failure.js';
import { ComponentGrant, toVariableSource } from '#runtime/component/grant.js';
import type { InvocationRequest, InvocationRun } from '#runtime/component/invocation-run.js';
import { toLimits, toReuse } from '#runtime/component/limits.js';
import { ChainedExchange } from './chained-exchange.js';
import { CHAINED_ROUTE, injectHeaders, NO_CLIENT, toChainedFields, toRouteHeaders } from './request-headers.js';
import type { AppLane, RouteTarget, VersionHost } from './version-host.js';

/** Components that call each other in a circle end here. */
const MAX_CHAIN_DEPTH = 16;

/** Counts the requests that run. */
interface Occupied {
  enter(): void;
  leave(): void;
}

/** A request of one component to another. */
class ChainedRequest implements InvocationRequest {
  readonly requestId: string;
  readonly depth: number;
  private readonly from: InvocationRequest;
  readonly elsewhere = null;

  constructor(private readonly version: LoadedVersion, readonly exchange: HttpExchange, from: InvocationRequest, private readonly occupied: Occupied) {
    this.requestId = from.requestId;
    this.depth = from.depth + 1;
    this.from = from;
  }

  refused(): void {
    this.from.refused?.();
  }

  chain(component: string | null, exchange: HttpExchange, from: InvocationRequest, ending: Ending): void {
    this.version.chain(component, exchange, from, ending);
  }

  over(): void {
    this.occupied.leave();
  }
}

/** One version of an app in memory: its routes and its components, compiled and warm. */
export class LoadedVersion {
  private readonly routes: Routes<RouteTarget>;

  private constructor(
    readonly artifact: VersionArtifact,
    private readonly programs: ReadonlyMap<string, ComponentProgram>,
    private readonly occupied: Occupied,
    private readonly mark: Synthetic['mark'] | undefined,
  ) {
    this.routes = new Routes(artifact.app.triggers
      .filter((trigger) => trigger.route !== null)
      .map((trigger) => ({ route: trigger.route!, value: { trigger, headers: toRouteHeaders(trigger.route!) } })));
  }

  /** Compiles every component that a trigger calls, checks its files and makes one instance of each. Throws a WhorlError that names the component. */
  static async load(host: VersionHost, lane: AppLane, artifact: VersionArtifact, occupied: Occupied): Promise<LoadedVersion> {
    const { app, builds, version } = artifact;
    const values = toVariableSource(app, lane.variables, lane.runtime);
    const chainable = new Set(app.triggers.flatMap(({ component }) => component ?? []));
    const scope = { ...host, refusesEffects: host.synthetic?.trigger === 'whorl:shadow', org: lane.org, app: lane.app, version };
    const load = async (id: string): Promise<[string, ComponentProgram]> => {
      const component = app.components.find((each) => each.id === id);
      const build = builds[id];
      if (!component || !build) throw new WhorlError('COMPONENT_COMPILE_FAILED', `the version has no component ${id}`);
      await checkFiles(component.files, host.blobPath);
      const grant = new ComponentGrant(component, [...chainable], scope);
      grant.setValues(values, lane.runtime);
      const program = await ComponentProgram.load(host, {
        build,
        grant,
        limits: toLimits(component.limits, host.limits),
        reuse: toReuse(component.reuse, host.limits),
        meterSource: { org: lane.org, app: lane.app, channel: lane.channel, version, component: id },
        onStrike: () => host.onStrike(lane),
        onUsed: (cpuMs) => host.onUsed(lane, cpuMs),
      });
      for (const trigger of app.triggers) if (trigger.component === id) program.bind(trigger);
      return [id, program];
    };
    return new LoadedVersion(artifact, new Map(await Promise.all([...chainable].map(load))), occupied, host.synthetic?.mark);
  }

  /** New values of the app's variables, and another runtime configuration; the same rules as for `load`. False: it has to be loaded anew for them. */
  setValues({ variables, runtime }: Pick<AppLane, 'variables' | 'runtime'>): boolean {
    const values = toVariableSource(this.artifact.app, variables, runtime);
    return [...this.programs.values()].map((program) => program.setValues(values, runtime)).every((isFit) => isFit);
  }

  match(path: string): RouteMatch<RouteTarget> | undefined {
    return this.routes.match(path);
  }

  isQuick({ component }: LockedHttpTrigger): boolean {
    return this.programs.get(component!)!.isQuick;
  }

  invoke(trigger: LockedHttpTrigger, request: InvocationRequest): InvocationRun {
    return this.programs.get(trigger.component!)!.invoke(trigger.id, request);
  }

  /** Lets go of everything; what runs, runs to its end. */
  close(): void {
    for (const program of this.programs.values()) program.close();
  }

  /** Service chaining and self requests (Spin's manifest). Throws COMPONENT_CHAIN_REFUSED. */
  chain(component: string | null, exchange: HttpExchange, from: InvocationRequest, ending: Ending): void {
    if (from.depth >= MAX_CHAIN_DEPTH) throw new WhorlError('COMPONENT_CHAIN_REFUSED', `components call each other more than ${MAX_CHAIN_DEPTH} deep`);
    const [path = '/'] = exchange.pathWithQuery.split('?', 1);
    const fields = toChainedFields(exchange.headers, exchange.authority);
    if (this.mark) fields.push([...this.mark]);
    const facts = { fullUrl: `${exchange.scheme}://${exchange.authority}${exchange.pathWithQuery}`, clientAddress: NO_CLIENT };
    if (component !== null) {
      const trigger = this.artifact.app.triggers.find((each) => each.component === component);
      if (!trigger) throw new WhorlError('COMPONENT_CHAIN_REFUSED', `${component} has no trigger`);
      const sent = injectHeaders(fields, CHAINED_ROUTE, { ...facts, pathInfo: path, params: [] });
      this.call(trigger, new ChainedRequest(this, new ChainedExchange(exchange, sent), from, this.occupied), ending);
      return;
    }
    const match = this.match(path);
    if (!match) return exchange.respond(404, [['content-length', '0']]).end();
    const { trigger, headers } = match.value;
    if (trigger.staticResponse) return answerStatic(exchange, trigger.staticResponse);
    const sent = injectHeaders(fields, headers, { ...facts, pathInfo: match.trailing, params: match.params });
    this.call(trigger, new ChainedRequest(this, new ChainedExchange(exchange, sent), from, this.occupied), ending);
  }

  /** @param ending of the caller: when that is gone, nobody waits for the answer any more */
  private call(trigger: LockedHttpTrigger, request: InvocationRequest, ending: Ending): void {
    this.occupied.enter();
    const run = this.invoke(trigger, request);
    if (!run.isOver) ending.on(() => run.stop(new ClientGone()));
  }
}

/** A trigger's fixed answer. */
export function answerStatic(exchange: HttpExchange, { status, headers, body }: NonNullable<LockedHttpTrigger['staticResponse']>): void {
  const bytes = Buffer.from(body ?? '');
  const fields = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'content-length');
  const sink = exchange.respond(status, status === 204 || status === 304 ? fields : [...fields, ['content-length', String(bytes.length)]]);
  if (bytes.length > 0) sink.write(bytes);
  sink.end();
}
