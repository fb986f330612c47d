import { readFileSync } from 'node:fs';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';

/**
 * Reads a trusted root as sigstore publishes it (trusted_root.json): certificate authorities, transparency logs, logs of certificates and
 * timestamp authorities. Throws an error that names the file.
 */
export function readTrustedRoot(path: string): TrustedRoot {
  let root: TrustedRoot;
  try {
    root = TrustedRoot.fromJSON(JSON.parse(readFileSync(path, 'utf8')));
    // What cannot be used is found at start, and not with the first signature.
    toTrustMaterial(root);
  } catch (error) {
    throw new Error(`WHORL_TRUSTED_ROOT: ${path} is no trusted root of sigstore: ${(error as Error).message}`, { cause: error });
  }
  if (root.certificateAuthorities.length + root.tlogs.length === 0) throw new Error(`WHORL_TRUSTED_ROOT: ${path} names neither a certificate authority nor a transparency log`);
  return root;
}
