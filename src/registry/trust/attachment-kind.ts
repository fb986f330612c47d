import type { ImageAttachment } from '#contract/image-trust.js';

const SBOM = /spdx|cyclonedx|syft/i;
const PROVENANCE = /slsa\.dev\/provenance|in-toto\.io\/provenance|provenance/i;
const STATEMENT = /in-toto|dsse/i;

/** What an attachment is, by the types that it says it has: of the statement in it first, then its own. */
export function kindOf({ predicateType = '', artifactType = '', mediaType = '' }: Partial<Pick<ImageAttachment, 'predicateType' | 'artifactType' | 'mediaType'>>): ImageAttachment['kind'] {
  for (const type of [predicateType, artifactType, mediaType]) {
    if (PROVENANCE.test(type)) return 'provenance';
    if (SBOM.test(type)) return 'sbom';
  }
  return predicateType !== '' || STATEMENT.test(artifactType) || STATEMENT.test(mediaType) ? 'attestation' : 'other';
}
