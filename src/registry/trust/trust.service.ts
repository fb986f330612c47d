import type { TrustedRoot } from '@sigstore/protobuf-specs';
import { WhorlError } from '#contract/errors.js';
import type { ImageTrust } from '#contract/image-trust.js';
import type { ResolvedImage } from '#registry/artifact/image-source.js';
import { parseReference } from '#registry/client/reference.js';
import { Attached } from './attached.js';
import { ImageVerifier, type VerifyOptions } from './image-verifier.js';
import { inspect, type Inspection } from './inspect.js';
import { NO_TRUST_POLICY, ruleFor, type TrustPolicy, type TrustRule } from './trust-policy.js';
import type { TrustPolicyRecord, TrustPolicyRepository } from './trust-policy.repository.js';

/** The organisation's policy: kept, and images and bundles held against it. */
export class TrustService extends ImageVerifier {
  /** @param root what the operator trusts for keyless signatures; undefined: nothing */
  constructor(
    private readonly repository: Pick<TrustPolicyRepository, 'find' | 'put'>,
    private readonly root: TrustedRoot | undefined,
  ) {
    super();
  }

  policy(): Promise<TrustPolicyRecord | undefined> {
    return this.repository.find();
  }

  /** Throws API_STATE_CHANGED when none of the revisions is that of the policy. */
  async setPolicy(policy: TrustPolicy, updatedBy: string, revisions: number[] | undefined): Promise<TrustPolicyRecord> {
    const set = await this.repository.put(policy, updatedBy, revisions);
    if (!set) throw new WhorlError('API_STATE_CHANGED', 'somebody else has changed the policy since');
    return set;
  }

  override async verifyImage(image: ResolvedImage, { app, source, signal }: VerifyOptions): Promise<ImageTrust> {
    const rule = await this.ruleFor(app, imageName(image.reference));
    const inspection = await this.inspect(image, new Attached(image, source, signal), rule);
    const isAsked = rule !== undefined && rule.mode !== 'off';
    if ('failed' in inspection) return { state: isAsked ? 'untrusted' : 'unchecked', reason: inspection.failed, signatures: [], attachments: [] };
    if (!isAsked) return { state: 'unchecked', ...inspection };
    if (inspection.signatures.some(({ verified }) => verified)) return { state: 'verified', ...inspection };
    const state = inspection.signatures.length === 0 ? 'unsigned' : 'untrusted';
    const reason = `${image.reference} (${image.digest}): ${reasonOf(inspection)}`;
    if (rule.mode === 'enforce') throw new WhorlError(state === 'unsigned' ? 'REGISTRY_SIGNATURE_MISSING' : 'REGISTRY_SIGNATURE_UNTRUSTED', reason);
    return { state, reason, ...inspection };
  }

  override async checkUnsigned(app: string): Promise<string | undefined> {
    const rule = await this.ruleFor(app, undefined);
    if (!rule || rule.mode === 'off') return undefined;
    const reason = `a version of ${app} must be made of a signed image, and a bundle has no signature`;
    if (rule.mode === 'enforce') throw new WhorlError('REGISTRY_SIGNATURE_MISSING', reason);
    return `${reason}; the policy lets it through with this warning`;
  }

  private async ruleFor(app: string, image: string | undefined): Promise<TrustRule | undefined> {
    return ruleFor((await this.repository.find())?.policy ?? NO_TRUST_POLICY, app, image);
  }

  /** A registry that cannot say what is attached ends nothing where nothing is asked for. */
  private async inspect(image: ResolvedImage, attached: Attached, rule: TrustRule | undefined): Promise<Inspection | { failed: string }> {
    try {
      return await inspect(image, attached, { signers: rule?.signers ?? [], root: this.root });
    } catch (error) {
      if (rule?.mode === 'enforce' || !(error instanceof WhorlError)) throw error;
      return { failed: `what is attached to the image could not be read: ${error.message}` };
    }
  }
}

/** Host and repository: what rules name. */
function imageName(reference: string): string {
  const { host, repository } = parseReference(reference);
  return host === undefined ? repository : `${host}/${repository}`;
}

function reasonOf({ signatures }: Inspection): string {
  if (signatures.length === 0) return 'it has no signature';
  return signatures.map(({ digest, reason }) => `the signature ${digest.slice(0, 19)}…: ${reason}`).join('; ');
}
