import type { ErrorEntry } from './entry.js';

export const REGISTRY_ERRORS = {
  REGISTRY_COMPONENT_INVALID: {
    status: 422, title: 'A component is no valid WebAssembly', fault: 'user',
    hint: 'Check the file with `wasm-tools validate --features all`, and that the build made a component (or a WASI preview 1 module).',
  },
  REGISTRY_COMPONENT_UNSUPPORTED: {
    status: 422, title: 'A component uses a feature that is not supported', fault: 'user',
    hint: 'Build the component without the feature that the message names.',
  },
  REGISTRY_COMPONENT_TOO_LARGE: {
    status: 422, title: 'A component asks for more than it may have', fault: 'user',
    hint: 'Raise memory_bytes in [component.<id>.tool.whorl], or make the component smaller.',
  },
  REGISTRY_IMPORT_UNKNOWN: {
    status: 422, title: 'A component imports an interface that nothing here answers', fault: 'user',
    hint: 'Build the component for WASI 0.2 or 0.3 and the Spin interfaces that are supported, or compose it with one that exports the interface.',
  },
  REGISTRY_DEPENDENCY_MISMATCH: {
    status: 422, title: 'A dependency does not fit the component that it is for', fault: 'user',
    hint: 'Compare imports and exports with `wasm-tools component wit`: name, version and types must be the same; `export` in spin.toml names another export.',
  },
  REGISTRY_HANDLER_MISSING: {
    status: 422, title: 'A component exports nothing that its trigger could call', fault: 'user',
    hint: 'Export wasi:http/incoming-handler@0.2, wasi:http/handler@0.3 or fermyon:spin/inbound-http; a program with main needs executor = { type = "wagi" }.',
  },
  REGISTRY_BUILD_EXCEEDED: {
    status: 422, title: 'Building a component took too much time or memory', fault: 'user',
    hint: 'Make the component smaller (strip debug information, optimise for size), or ask the operator for a higher limit.',
  },
  REGISTRY_BUILD_FAILED: {
    status: 500, title: 'Building a component failed', fault: 'system',
    hint: 'Push again; if it stays, look for the cause in the log of the control plane and report it with the component.',
  },
  REGISTRY_SOURCE_UNREACHABLE: {
    status: 422, title: 'A component\'s source could not be fetched', fault: 'user',
    hint: 'Check the URL in spin.toml, or put the file into the bundle.',
  },
  REGISTRY_SOURCE_REFUSED: {
    status: 422, title: 'A component\'s source may not be fetched from there', fault: 'user',
    hint: 'Use a public https URL, or put the file into the bundle. The operator may allow private addresses with WHORL_ALLOW_PRIVATE_SOURCES.',
  },
  REGISTRY_SOURCE_MISMATCH: {
    status: 422, title: 'A component\'s source is not what spin.toml says', fault: 'user',
    hint: 'Compare the digest in spin.toml with `sha256sum` of what the URL gives.',
  },
  REGISTRY_IMAGE_REFERENCE_INVALID: {
    status: 422, title: 'An image reference cannot be read', fault: 'user',
    hint: 'Write it as host/repository:tag or host/repository@sha256:…, for example ghcr.io/acme/shop:1.2.0.',
  },
  REGISTRY_IMAGE_UNKNOWN: {
    status: 422, title: 'There is no image with this reference', fault: 'user',
    hint: 'Check repository and tag; many registries say the same of an image that needs other credentials.',
  },
  REGISTRY_IMAGE_DENIED: {
    status: 422, title: 'The image\'s registry does not give it to us', fault: 'user',
    hint: 'Make the image public, or have the operator put credentials for the registry into the file that WHORL_REGISTRY_AUTH_FILE names.',
  },
  REGISTRY_IMAGE_REFUSED: {
    status: 422, title: 'An image may not be fetched from there', fault: 'user',
    hint: 'Use a registry with a public address and https. The operator may allow others: WHORL_REGISTRY_PRIVATE_HOSTS, WHORL_REGISTRY_INSECURE_ORIGINS, WHORL_ALLOW_PRIVATE_SOURCES.',
  },
  REGISTRY_IMAGE_UNREACHABLE: {
    status: 502, title: 'The image\'s registry does not answer as it should', fault: 'system',
    hint: 'Try again; when it stays, see whether the registry works and can be reached from the control plane (proxy, firewall, certificates).',
  },
  REGISTRY_IMAGE_MISMATCH: {
    status: 502, title: 'An image\'s registry sent other bytes than the manifest or the digest says', fault: 'system',
    hint: 'Push the image again; when it stays, the registry or something on the way to it is damaged.',
  },
  REGISTRY_IMAGE_UNSUPPORTED: {
    status: 422, title: 'An image is of a kind that cannot be used', fault: 'user',
    hint: 'Push with `spin registry push`, or a WebAssembly component as one layer of type application/wasm.',
  },
  REGISTRY_NAME_INVALID: {
    status: 400, title: 'This is no name of a repository', fault: 'user',
    hint: 'Name it <org>/<app>, or <app> alone for the default organisation; lower-case letters, digits and inner hyphens.',
  },
  REGISTRY_NAME_UNKNOWN: {
    status: 404, title: 'There is no repository with this name', fault: 'user',
    hint: 'Check organisation and app; a repository is there from its first push on.',
  },
  REGISTRY_MANIFEST_UNKNOWN: {
    status: 404, title: 'The repository has no such manifest', fault: 'user',
    hint: 'Check tag or digest; GET /v2/<org>/<app>/tags/list shows the tags.',
  },
  REGISTRY_MANIFEST_INVALID: {
    status: 400, title: 'A manifest is not of the form that its type asks for', fault: 'user',
    hint: 'Push with a client that writes OCI or Docker (schema 2) manifests; the message says what is wrong.',
  },
  REGISTRY_MANIFEST_TOO_LARGE: {
    status: 413, title: 'A manifest is too large', fault: 'user',
    hint: 'Put what is large into a layer: a manifest may have 4 MiB.',
  },
  REGISTRY_MANIFEST_BLOB_UNKNOWN: {
    status: 404, title: 'A manifest names what the repository does not have', fault: 'user',
    hint: 'Push what it names first, or push it all again; the operator may allow such manifests with WHORL_REGISTRY_SPARSE_MANIFESTS.',
  },
  REGISTRY_TAG_INVALID: {
    status: 400, title: 'This is no tag', fault: 'user',
    hint: 'A tag has up to 128 letters, digits, ".", "_" and "-", and begins with none of "." and "-".',
  },
  REGISTRY_DIGEST_INVALID: {
    status: 400, title: 'A digest is malformed, or is not that of the bytes that came', fault: 'user',
    hint: 'Send the bytes again with their sha256 or sha512; when it stays, something changes them on the way.',
  },
  REGISTRY_CONTENT_IN_USE: {
    status: 405, title: 'What a manifest names cannot be deleted', fault: 'user',
    hint: 'Delete the manifests that name it first.',
  },
  REGISTRY_UPLOAD_UNKNOWN: {
    status: 404, title: 'There is no such upload', fault: 'user',
    hint: 'Begin the upload anew: it was finished, cancelled, or not used for too long.',
  },
  REGISTRY_UPLOAD_INVALID: {
    status: 400, title: 'A request for an upload is malformed', fault: 'user',
    hint: 'See "Push" in the OCI distribution specification.',
  },
  REGISTRY_UPLOAD_LENGTH: {
    status: 400, title: 'A chunk has another length than its Content-Range says', fault: 'user',
    hint: 'GET the upload to see how many bytes are there, and go on from them.',
  },
  REGISTRY_RANGE_INVALID: {
    status: 416, title: 'The blob does not have these bytes', fault: 'user',
    hint: 'Ask for a range that begins below the blob\'s size, which the answer names in Content-Range.',
  },
  REGISTRY_REQUEST_INVALID: {
    status: 400, title: 'A request to the registry is malformed', fault: 'user',
    hint: 'See the OCI distribution specification; the message names the part.',
  },
  REGISTRY_ROUTE_UNKNOWN: {
    status: 404, title: 'The registry has no such route', fault: 'user',
    hint: 'See the endpoints of the OCI distribution specification.',
  },
  REGISTRY_ACCESS_DENIED: {
    status: 403, title: 'The token does not allow this in the repository', fault: 'user',
    hint: 'Use a token with the scope repository:<org>/<app>:pull, push or delete, or admin.',
  },
  REGISTRY_BLOB_UNKNOWN: {
    status: 404, title: 'There is no blob with this digest', fault: 'user',
    hint: 'Push the bundle again; a node retries by itself.',
  },
  REGISTRY_BLOB_MISMATCH: {
    status: 500, title: 'Stored bytes differ from their digest', fault: 'system',
    hint: 'The store is damaged or was changed by hand: restore the object, or delete it and push again.',
  },
  REGISTRY_UPLOAD_CONFLICT: {
    status: 416, title: 'A chunk does not go on where the upload stands', fault: 'user',
    hint: 'Ask how many bytes of the upload are there, and go on from there.',
  },
  REGISTRY_STORE_FOREIGN: {
    status: 409, title: 'The artifact store belongs to another database', fault: 'system',
    hint: 'Nothing is deleted. Give each platform a bucket or folder of its own. If the database that the store belonged to is lost for good, delete the record `owner` in the store: the next collection then deletes what this database does not know.',
  },
  REGISTRY_QUOTA_EXCEEDED: {
    status: 507, title: 'The organisation may not keep more', fault: 'user',
    hint: 'Delete tags and apps that nobody needs, have them collected (POST /v1/collections), or ask the operator for a higher WHORL_ORG_STORAGE_BYTES.',
  },
  REGISTRY_STORAGE_UNAVAILABLE: {
    status: 503, title: 'The artifact store cannot be reached', fault: 'system',
    hint: 'Retry; nothing half done is visible. The operator finds the cause in the log of the control plane.',
  },
  REGISTRY_SIGNATURE_MISSING: {
    status: 422, title: 'The policy asks for a signature', fault: 'user',
    hint: 'Sign the image with cosign and deploy it by its reference; GET /v1/trust-policy shows who may sign what.',
  },
  REGISTRY_SIGNATURE_UNTRUSTED: {
    status: 422, title: 'No signature of the image counts', fault: 'user',
    hint: 'The message says what is wrong with each; GET /v1/trust-policy shows who may sign what.',
  },
} as const satisfies Record<string, ErrorEntry>;
