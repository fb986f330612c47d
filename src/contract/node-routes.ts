/**
 * What a node asks of the control plane, as one table for both sides. All of it needs a token with the scope `node`.
 *
 * - `assignments`: `?after=<revision>&wait=<seconds>&engines=<version>,…` answers at once when the state differs, else when it changes or
 *   the time is up; every artifact in the answer is of one of these engine versions (see `Engines`)
 * - `report`: everything the node says of itself, after each change and when the control plane asks for it
 * - `heartbeat`: every `HEARTBEAT_MS` without a change: that nothing has changed since the last report, and the load
 * - `journal`: takes each entry once
 * - `samples`: what became of requests while several versions are served (contract/samples.ts); takes each report once
 * - `blob`: bytes by digest; the node checks the digest itself
 * - `storeRequests`: `?wait=<seconds>` answers what the node is asked to do with stores (contract/store-request.ts), at once or when there is
 *   something; each is given once
 * - `storeAnswer`: what came of one of them
 * - `routes`: `?after=<revision>&wait=<seconds>` answers which nodes have which hosts (contract/routes.ts), at once when it differs from what the
 *   node holds, else when it changes or the time is up
 * - `wanted`: somebody asked the node for a channel that is nowhere (contract/routes.ts)
 * - `preview`: `?engines=<version>,…` answers what it takes to serve one version by itself, for a request that asks for it (contract/preview.ts)
 */
export const NODE_ROUTES = {
  assignments: { method: 'GET', path: '/v1/nodes/:node/assignments' },
  report: { method: 'PUT', path: '/v1/nodes/:node/report' },
  heartbeat: { method: 'POST', path: '/v1/nodes/:node/heartbeat' },
  journal: { method: 'POST', path: '/v1/nodes/:node/journal' },
  samples: { method: 'POST', path: '/v1/nodes/:node/samples' },
  storeRequests: { method: 'GET', path: '/v1/nodes/:node/store-requests' },
  storeAnswer: { method: 'POST', path: '/v1/nodes/:node/store-requests/:request' },
  routes: { method: 'GET', path: '/v1/nodes/:node/routes' },
  wanted: { method: 'POST', path: '/v1/nodes/:node/wanted' },
  preview: { method: 'GET', path: '/v1/nodes/:node/previews/:app/:version' },
  blob: { method: 'GET', path: '/v1/blobs/:digest' },
} as const;

/** A node that has not reported for this long is not waited for in a rollout. */
export const NODE_LOST_AFTER_MS = 5_000;
export const HEARTBEAT_MS = 1_000;
