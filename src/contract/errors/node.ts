import type { ErrorEntry } from './entry.js';

export const NODE_ERRORS = {
  NODE_CONFIG_INVALID: { status: 500, title: 'Bad configuration of the node', fault: 'user', hint: 'Correct the variables that are named; .env.example lists all of them.' },
  NODE_DIR_UNUSABLE: { status: 500, title: 'The node\'s folder cannot be used', fault: 'user', hint: 'Give WHORL_NODE_DIR a folder that this user may write and that no other node uses.' },
  NODE_PORT_IN_USE: { status: 409, title: 'The port of the apps is in use', fault: 'user', hint: 'Stop what listens there, or set WHORL_HTTP_PORT.' },
  NODE_LISTEN_FAILED: { status: 500, title: 'The node cannot listen', fault: 'user', hint: 'WHORL_LISTEN must be an address of this machine, WHORL_HTTP_PORT a port this user may open.' },
  NODE_CONTROL_PLANE_REFUSED: { status: 502, title: 'The control plane refused the node', fault: 'user', hint: 'Check WHORL_API_URL and WHORL_NODE_TOKEN.' },
  NODE_CONTROL_PLANE_UNREACHABLE: { status: 503, title: 'The control plane does not answer', fault: 'system', hint: 'The node goes on serving what it has and tries again by itself.' },
  NODE_BLOB_UNAVAILABLE: { status: 503, title: 'An artifact could not be fetched', fault: 'system', hint: 'The node tries again by itself; check that the control plane and its artifact store answer.' },
  NODE_BLOB_CORRUPT: { status: 500, title: 'An artifact does not have its digest', fault: 'system', hint: 'The node fetches it again by itself; if it stays, the artifact store holds damaged bytes.' },
  NODE_RUNNER_FAILED: { status: 500, title: 'A runner died while it prepared a version', fault: 'system', hint: 'Look at the log of the node; push the version again.' },
  NODE_ENGINE_UNSUPPORTED: { status: 500, title: 'A version is built for another engine than the node\'s', fault: 'system', hint: 'Run nodes and control plane of the same release; while nodes are upgraded, finish that and roll out again.' },
  NODE_PREPARE_TIMEOUT: { status: 504, title: 'A version was not prepared in time', fault: 'system', hint: 'The node may be overloaded; roll out again.' },
  NODE_HOST_UNKNOWN: { status: 404, title: 'No app has this host', fault: 'user', hint: 'Apps answer at http://<app>.<domain>/; list them with GET /v1/apps.' },
  NODE_HOST_INVALID: { status: 400, title: 'Bad Host', fault: 'user', hint: 'Send exactly one valid Host header field.' },
  NODE_APP_NOT_READY: { status: 503, title: 'The app is not ready on this node', fault: 'system', hint: 'Retry shortly; the state of the app\'s versions says why it takes longer.' },
} as const satisfies Record<string, ErrorEntry>;
