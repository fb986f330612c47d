import type { Draft, DraftTrigger } from './draft.js';
import type { HttpExecutor, LockedTrigger, StaticResponse } from './locked-app.js';
import { type Problems, formatPath } from './problems.js';
import { parseRoute, routeShape } from './routes.js';

/** Spin's default: the path and the query's words become the arguments. */
const WAGI_ARGV = '${SCRIPT_NAME} ${ARGS}';
/** Usage that no client caused is counted under such names. */
const PLATFORM_PREFIX = 'whorl:';
const RESERVED_PREFIX = '/.well-known/spin/';

/** Checks the triggers' references, routes and answers (Spin's manifest) and gives them as they are locked. */
export function checkTriggers(draft: Draft, components: ReadonlySet<string>, problems: Problems): LockedTrigger[] {
  const triggers = draft.triggers.map((trigger) => checkTrigger(trigger, components, problems));
  const ids = new Set<string>();
  for (const { id, at } of draft.triggers) {
    if (ids.has(id)) problems.invalid([...at, 'id'], `there are two triggers with the id "${id}"`);
    if (id.startsWith(PLATFORM_PREFIX)) problems.invalid([...at, 'id'], `names that begin with ${PLATFORM_PREFIX} are the platform's own`);
    ids.add(id);
  }
  checkDuplicateRoutes(draft.triggers, problems);
  // Where triggers were refused, that is what to say.
  if (triggers.length === 0 && !problems.any) problems.invalid(['trigger'], 'the app has no trigger, so nothing could ever call it: add [[trigger.http]]');
  return triggers;
}

function checkTrigger({ at, id, component, raw }: DraftTrigger, components: ReadonlySet<string>, problems: Problems): LockedTrigger {
  const referenced = typeof component === 'string' ? component : undefined;
  if ((referenced === undefined) === (raw.static_response === undefined)) {
    problems.invalid(at, referenced === undefined ? 'needs a component or a static_response' : 'has both a component and a static_response: exactly one is needed');
  }
  if (referenced !== undefined && !components.has(referenced)) problems.invalid([...at, 'component'], `there is no component "${referenced}"`);
  let route: string | null = null;
  if (typeof raw.route === 'string') {
    const text = raw.route;
    route = text;
    const parsed = problems.attempt([...at, 'route'], () => parseRoute(text));
    if (parsed && `${parsed.route}/`.startsWith(RESERVED_PREFIX)) problems.warn([...at, 'route'], `the platform answers below ${RESERVED_PREFIX} itself: this route is never reached`);
  }
  return {
    type: 'http',
    id,
    route,
    executor: executor(raw.executor),
    ...(referenced !== undefined && { component: referenced }),
    ...(raw.static_response && { staticResponse: staticResponse(raw.static_response, [...at, 'static_response'], problems) }),
  };
}

function executor(raw: DraftTrigger['raw']['executor']): HttpExecutor {
  return raw?.type === 'wagi' ? { type: 'wagi', argv: raw.argv ?? WAGI_ARGV } : { type: 'http' };
}

function staticResponse(raw: NonNullable<DraftTrigger['raw']['static_response']>, at: DraftTrigger['at'], problems: Problems): StaticResponse {
  const headers = raw.headers ?? {};
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) problems.invalid([...at, 'headers', name], `"${name}" is no name of a header`);
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) problems.invalid([...at, 'headers', name], 'the value holds characters that a header cannot hold');
  }
  return { status: raw.status_code ?? 200, headers, ...(raw.body !== undefined && { body: raw.body }) };
}

function checkDuplicateRoutes(triggers: DraftTrigger[], problems: Problems): void {
  const byText = new Map<string, DraftTrigger>();
  const byShape = new Map<string, { trigger: DraftTrigger; text: string }>();
  for (const trigger of triggers) {
    const text = trigger.raw.route;
    if (typeof text !== 'string') continue;
    const at = [...trigger.at, 'route'];
    const same = byText.get(text);
    if (same) problems.warn(at, `${formatPath(same.at)} has the same route "${text}": this later one answers`);
    byText.set(text, trigger);
    let shape: string;
    try {
      shape = routeShape(parseRoute(text));
    } catch {
      // What is wrong with it was noted already.
      continue;
    }
    const like = byShape.get(shape);
    if (like && like.text !== text) problems.warn(at, `"${text}" matches the same paths as the route "${like.text}" of ${formatPath(like.trigger.at)}: that earlier one answers`);
    if (!like) byShape.set(shape, { trigger, text });
  }
}
