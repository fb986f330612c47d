import { NODE_JOIN_ROUTES } from '#contract/node-join.js';
import { NODE_ROUTES } from '#contract/node-routes.js';

const ROUTES = Object.values({ ...NODE_ROUTES, ...NODE_JOIN_ROUTES }).map(({ method, path }) => ({
  method: method as string,
  path: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:[a-zA-Z]+/g, '[^/]+')}$`),
}));

/** Whether nodes call it: what others than these ask for does not exist on their port. @param url as in the request line */
export function isNodeRoute(method: string, url: string): boolean {
  const [path = ''] = url.split('?', 1);
  return ROUTES.some((route) => route.method === method && route.path.test(path));
}
