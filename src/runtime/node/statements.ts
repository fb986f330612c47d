import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { Assignment, NodeAssignments, Signatures } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import type { KeyHash } from '#contract/node-identity.js';
import type { TrustBundle } from '#contract/node-join.js';
import { canonicalJson, type Signature, SignedBy } from '#contract/statement.js';
import { readStatementKey, verifyStatement } from '#platform/tls/statement-signature.js';
import { keepRunnable, type Provenance } from './adopt.js';
import { toKey } from './app-lane.js';

/** An assignment as it was signed. `before`: what the node had, of which it keeps versions that were not offered so that it can run them. */
export interface SignedAssignment {
  assignment: unknown;
  signedBy?: SignedBy | undefined;
  before?: SignedAssignment | undefined;
}
export const SignedAssignment: z.ZodType<SignedAssignment> = z.strictObject({
  assignment: z.unknown(),
  signedBy: SignedBy.optional(),
  get before() {
    return SignedAssignment.optional();
  },
});

/** Where an assignment that the node holds comes from. */
interface Origin {
  signedBy: SignedBy | undefined;
  /** What was signed. */
  source: unknown;
  before: Assignment | undefined;
}

const Answer = z.object({ ...NodeAssignments.shape, assignments: z.array(z.unknown()), signatures: Signatures.optional() });

/** What is good of an answer, and why the rest is not. */
export interface Admitted {
  answer: NodeAssignments;
  refused: WhorlError[];
}

/**
 * Sees that what a node takes, or finds on its disk, was said by its control plane. A node that knows of no keys (its control plane is of a
 * release without them) takes what it is given, as it always did; once it knows of some, nothing goes without a signature.
 */
export class Statements implements Provenance {
  private readonly origins = new WeakMap<Assignment, Origin>();
  private readonly keys = new Map<KeyHash, KeyObject>();

  constructor(private readonly trust: () => TrustBundle | undefined) {}

  /** Whether one of the answer's keys has not been heard of. */
  knowsKeyOf(raw: unknown): boolean {
    const key = z.object({ signatures: z.object({ key: z.string() }) }).safeParse(raw).data?.signatures.key;
    return key === undefined || this.trust()?.keys.some(({ id }) => id === key) !== false;
  }

  /** Reads what the control plane answered. Throws for what is no answer at all. */
  async admit(raw: unknown): Promise<Admitted> {
    const { assignments, signatures, ...rest } = Answer.parse(raw);
    const refused: WhorlError[] = [];
    const read = await Promise.all(assignments.map((assignment) => {
      const signature = signatures?.assignments[keyOf(assignment)];
      return this.read({ assignment, signedBy: signature && { key: signatures!.key, signature } }).catch((error: unknown) => {
        if (!(error instanceof WhorlError)) throw error;
        refused.push(error);
        return undefined;
      });
    }));
    return { answer: { ...rest, assignments: read.filter((each) => each !== undefined) }, refused };
  }

  /** Reads an assignment, with what it was mixed of. Throws NODE_STATEMENT_UNSIGNED, and what zod throws for what is none. */
  async read({ assignment: source, signedBy, before }: SignedAssignment): Promise<Assignment> {
    const assignment = Assignment.parse(source);
    // Read by the same release as wrote it, it is the same; by another one, defaults may have come to it and unknown parts gone.
    await this.check(assignment, source, signedBy);
    const isSame = JSON.stringify(assignment) === JSON.stringify(source) || canonicalJson(assignment) === canonicalJson(source);
    this.origins.set(assignment, { signedBy, source: isSame ? assignment : source, before: undefined });
    // Without what it was mixed of it is still what the control plane said.
    const own = before && (await this.read(before).catch(() => undefined));
    if (!own) return assignment;
    const next = keepRunnable(assignment, own);
    if (next !== assignment) this.mixed(next, assignment, own);
    return next;
  }

  /** As it is to be kept. */
  write(assignment: Assignment): SignedAssignment {
    const origin = this.origins.get(assignment);
    if (!origin) return { assignment };
    return { assignment: origin.source, ...(origin.signedBy && { signedBy: origin.signedBy }), ...(origin.before && { before: this.write(origin.before) }) };
  }

  /** Changes when the assignment is signed anew. */
  signatureOf(assignment: Assignment): Signature | undefined {
    return this.origins.get(assignment)?.signedBy?.signature;
  }

  /** Keys that these are signed with. */
  keysOf(assignments: readonly Assignment[]): KeyHash[] {
    const keys = new Set<KeyHash>();
    for (const assignment of assignments) {
      for (let each: Assignment | undefined = assignment; each; each = this.origins.get(each)?.before) {
        const key = this.origins.get(each)?.signedBy?.key;
        if (key !== undefined) keys.add(key);
      }
    }
    return [...keys];
  }

  mixed(next: Assignment, offered: Assignment, own: Assignment): void {
    const origin = this.origins.get(offered);
    if (origin) this.origins.set(next, { ...origin, before: this.oldest(next, offered, own) });
  }

  again(own: Assignment, offered: Assignment): void {
    const [origin, present] = [this.origins.get(offered), this.origins.get(own)];
    if (!origin || (present && present.signedBy?.key === origin.signedBy?.key)) return;
    this.origins.set(own, { ...origin, before: present?.before });
  }

  /** Of what the node's own came from, the oldest that gives the same mix: what lies between need not be kept. */
  private oldest(next: Assignment, offered: Assignment, own: Assignment): Assignment {
    const wanted = versionsOf(next);
    let found = own;
    for (let each: Assignment | undefined = own; each; each = this.origins.get(each)?.before) if (versionsOf(keepRunnable(offered, each)) === wanted) found = each;
    return found;
  }

  private async check(assignment: Assignment, source: unknown, signedBy: SignedBy | undefined): Promise<void> {
    const trust = this.trust();
    if (!trust) return;
    const name = `${assignment.app}/${assignment.channel}, generation ${assignment.generation}`;
    if (!signedBy) throw new WhorlError('NODE_STATEMENT_UNSIGNED', `${name}: it has no signature`);
    const key = this.key(trust, signedBy.key);
    if (!key) throw new WhorlError('NODE_STATEMENT_UNSIGNED', `${name}: the key ${signedBy.key} is not believed`);
    if (!(await verifyStatement(key, 'assignment', canonicalJson(source), signedBy.signature))) throw new WhorlError('NODE_STATEMENT_UNSIGNED', `${name}: it is not what was signed`);
  }

  private key(trust: TrustBundle, id: KeyHash): KeyObject | undefined {
    const publicKey = trust.keys.find((each) => each.id === id)?.publicKey;
    if (publicKey === undefined) return undefined;
    let key = this.keys.get(id);
    if (!key) this.keys.set(id, (key = readStatementKey(publicKey)));
    return key;
  }
}

const versionsOf = ({ versions }: Assignment): string => versions.map(({ version, digest, builds }) => `${version} ${digest} ${Object.values(builds).map(({ plan }) => plan).join()}`).join('\n');

function keyOf(assignment: unknown): string {
  const { app, channel } = (assignment ?? {}) as { app?: unknown; channel?: unknown };
  return toKey({ app: String(app), channel: String(channel) } as Parameters<typeof toKey>[0]);
}
