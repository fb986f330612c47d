import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { NodeAssignments } from '#contract/assignment.js';
import { canonicalJson, type Signature, type SignedBy, type StatementKind } from '#contract/statement.js';
import { signStatement } from '#platform/tls/statement-signature.js';
import type { Signer } from './authority.js';
import { KeyringService } from './keyring.service.js';

/** Stands between a state's own revision and the key that it was signed with. */
const SEPARATOR = '~';
const SIGNED_AT_A_TIME = 64;

/** Signs what nodes keep (contract/statement.ts). */
@Injectable()
export class StatementsService {
  /** What is the same object is signed once. */
  private readonly signed = new WeakMap<object, SignedBy>();

  constructor(private readonly keyring: KeyringService) {}

  /** A signature over anything that nodes keep. The same object, never changed, is signed once. */
  async sign(kind: StatementKind, value: object): Promise<SignedBy> {
    return this.signWith((await this.keyring.current()).signers.statements, kind, value);
  }

  /**
   * The revision that `next` is to compare with, of one that a node gave back. undefined, which asks for everything, when what the node has was
   * signed with another key than the one that signs now.
   */
  async heldRevision(after: string | undefined): Promise<string | undefined> {
    const { id } = (await this.keyring.current()).signers.statements;
    const [revision, key] = after?.split(SEPARATOR) ?? [];
    return key === id ? revision : undefined;
  }

  /** The answer with its signatures, and a revision that says by which key. */
  async signAssignments(answer: NodeAssignments): Promise<NodeAssignments> {
    const signer = (await this.keyring.current()).signers.statements;
    const assignments: Record<string, Signature> = {};
    for (const [i, assignment] of answer.assignments.entries()) {
      // Thousands go to a node that has lost its disk: others are answered meanwhile.
      if (i % SIGNED_AT_A_TIME === SIGNED_AT_A_TIME - 1) await nextTurn();
      assignments[`${assignment.app}/${assignment.channel}`] = this.signWith(signer, 'assignment', assignment).signature;
    }
    return { ...answer, revision: `${answer.revision}${SEPARATOR}${signer.id}`, signatures: { key: signer.id, assignments } };
  }

  private signWith({ id, privateKey }: Signer, kind: StatementKind, value: object): SignedBy {
    let known = this.signed.get(value);
    if (known?.key !== id) this.signed.set(value, (known = { key: id, signature: signStatement(privateKey, kind, canonicalJson(value)) }));
    return known;
  }
}
