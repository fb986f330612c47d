import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VersionArtifact } from '#contract/artifact.js';
import type { Assignment, NodeAssignments } from '#contract/assignment.js';
import type { TrustBundle } from '#contract/node-join.js';
import { canonicalJson } from '#contract/statement.js';
import { Log } from '#platform/log.js';
import { keyHash } from '#platform/tls/key-hash.js';
import { signStatement } from '#platform/tls/statement-signature.js';
import { artifactOf, assignmentOf, digestLike } from '../../../test/fixtures/assignment.js';
import { adopt } from './adopt.js';
import { RUNNABLE_ENGINES } from './engines.js';
import { Snapshot } from './snapshot.js';
import { Statements } from './statements.js';

const newKey = () => {
  const pair = generateKeyPairSync('ed25519');
  return { ...pair, id: keyHash(pair.publicKey), spki: pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') };
};
type Key = ReturnType<typeof newKey>;
const believing = (...keys: Key[]): Statements => new Statements(() => ({ keys: keys.map(({ id, spki }) => ({ id, publicKey: spki })) }) as unknown as TrustBundle);
const app = (name: string, change: Partial<Assignment> = {}): Assignment => assignmentOf({ app: name as Assignment['app'], ...change });

/** As the control plane answers. */
function answerOf(key: Key, assignments: unknown[], revision = 'a'): unknown {
  const named = assignments as Assignment[];
  const signatures = Object.fromEntries(named.map((each) => [`${each.app}/${each.channel}`, signStatement(key.privateKey, 'assignment', canonicalJson(each))]));
  return JSON.parse(JSON.stringify({ revision, assignments, signatures: { key: key.id, assignments: signatures } }));
}

describe('what a control plane answers', () => {
  const key = newKey();

  it('is taken when it is signed', async () => {
    const { answer, refused } = await believing(key).admit(answerOf(key, [app('one'), app('two')]));
    expect(answer.assignments).toEqual([app('one'), app('two')]);
    expect(refused).toEqual([]);
  });

  it.each([
    ['has no signatures', () => ({ ...(answerOf(key, [app('one')]) as object), signatures: undefined }), /no signature/],
    ['is signed with a key that is not believed', () => answerOf(newKey(), [app('one')]), /not believed/],
    ['was changed', () => JSON.parse(JSON.stringify(answerOf(key, [app('one')])).replace('app.localhost', 'app.localhosT')) as unknown, /not what was signed/],
    ['has the signature of another', () => {
      const answer = answerOf(key, [app('one'), app('two')]) as { signatures: { assignments: Record<string, string> } };
      return { ...answer, assignments: [app('one')], signatures: { ...answer.signatures, assignments: { 'one/production': answer.signatures.assignments['two/production'] } } };
    }, /not what was signed/],
  ])('is not when it %s', async (_what, answer, reason) => {
    const { answer: { assignments }, refused } = await believing(key).admit(answer());
    expect(assignments).toEqual([]);
    expect(refused).toEqual([expect.objectContaining({ code: 'NODE_STATEMENT_UNSIGNED', message: expect.stringMatching(reason) })]);
  });

  it('counts on its own: what is good beside it is taken', async () => {
    const answer = answerOf(key, [app('one'), app('two')]) as { assignments: Assignment[] };
    answer.assignments[0]!.generation = 9;
    const { answer: { assignments }, refused } = await believing(key).admit(answer);
    expect([assignments.map((each) => each.app as string), refused.length]).toEqual([['two'], 1]);
  });

  it('may say more than this release reads: what is signed is what was said', async () => {
    const statements = believing(key);
    const { answer: { assignments: [read] } } = await statements.admit(answerOf(key, [{ ...app('one'), later: { release: true } }]));
    expect(read).toEqual(app('one'));
    expect(await believing(key).read(statements.write(read!))).toEqual(app('one'));
  });

  it('is taken as it is by a node that knows of no keys', async () => {
    const { answer: { assignments }, refused } = await new Statements(() => undefined).admit({ revision: 'a', assignments: [app('one')] });
    expect([assignments.length, refused.length]).toEqual([1, 0]);
  });

  it('names a key that has not been heard of', () => {
    expect(believing(key).knowsKeyOf(answerOf(key, []))).toBe(true);
    expect(believing(key).knowsKeyOf(answerOf(newKey(), []))).toBe(false);
  });
});

describe('a signed snapshot', () => {
  const [key, next, stranger] = [newKey(), newKey(), newKey()];
  const logged: string[] = [];
  const log = new Log({}, 'debug', (line) => logged.push(line));
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'whorl-signed-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const save = async (name: string, answers: unknown[], by: Key[] = [key]): Promise<string> => {
    const path = join(dir, name);
    const statements = believing(...by);
    const snapshot = new Snapshot(path, '1', statements, log);
    let held: NodeAssignments | undefined;
    for (const answer of answers) await snapshot.save((held = adopt(held, (await statements.admit(answer)).answer, statements)));
    return path;
  };
  const load = async (path: string, ...keys: Key[]): Promise<string[]> => {
    const held = await new Snapshot(path, '1', believing(...keys), log).load();
    return held?.assignments.map((each) => `${each.app} ${each.generation}`).sort() ?? [];
  };
  const edit = async (path: string, change: (text: string) => string): Promise<void> => {
    const text = await readFile(path, 'utf8');
    expect(change(text)).not.toBe(text);
    await writeFile(path, change(text));
  };

  it('gives back what was signed', async () => {
    expect(await load(await save('whole.json', [answerOf(key, [app('one'), app('two')])]), key)).toEqual(['one 1', 'two 1']);
  });

  it('leaves out an assignment of which a byte was changed, names it and serves the others', async () => {
    const path = await save('byte.json', [answerOf(key, [app('one', { variables: { greeting: 'hello' } }), app('two')])]);
    await edit(path, (text) => text.replace('hello', 'hellp'));
    expect(await load(path, key)).toEqual(['two 1']);
    expect(logged.some((line) => line.includes('one/production') && line.includes('not what was signed'))).toBe(true);
  });

  it('leaves out an assignment that has another\'s place', async () => {
    const path = await save('swapped.json', [answerOf(key, [app('one'), app('two')])]);
    await edit(path, (text) => text.replaceAll('"app":"one"', '"app":"three"'));
    expect(await load(path, key)).toEqual(['two 1']);
  });

  it('goes by the newest generation, wherever an older one was put', async () => {
    const path = await save('older.json', [answerOf(key, [app('one')]), answerOf(key, [app('one', { generation: 2 })], 'b')]);
    const [old] = (await readFile(path, 'utf8')).split('\n');
    await edit(path, (text) => `${text}${old}\n${JSON.stringify({ revision: 'c' })}\n`);
    expect(await load(path, key)).toEqual(['one 2']);
  });

  it('falls back to an older one that was signed when the newest was changed', async () => {
    const path = await save('fallback.json', [answerOf(key, [app('one')]), answerOf(key, [app('one', { generation: 2, variables: { greeting: 'hello' } })], 'b')]);
    await edit(path, (text) => text.replace('hello', 'hellp'));
    expect(await load(path, key)).toEqual(['one 1']);
  });

  it('does not count with a key that is not believed', async () => {
    const path = await save('stranger.json', [answerOf(key, [app('one')])]);
    expect(await load(path, stranger)).toEqual([]);
    expect(await load(path, stranger, key)).toEqual(['one 1']);
  });

  it('follows the keys: what is said again with the next one needs the one before no more', async () => {
    const path = await save('rotated.json', [answerOf(key, [app('one'), app('two')]), answerOf(next, [app('one'), app('two')], 'b')], [key, next]);
    expect(await load(path, next)).toEqual(['one 1', 'two 1']);
  });

  describe('of a node that goes on with builds it can run', () => {
    const [plan, old] = [digestLike('plan'), digestLike('old')];
    const built = (engine: string, more: Partial<VersionArtifact> = {}): VersionArtifact =>
      ({ ...artifactOf(1), builds: { main: { engine, plan: engine === RUNNABLE_ENGINES[0] ? old : plan, modules: [], component: plan, handlers: [], imports: [], exports: [], componentized: false } as unknown as VersionArtifact['builds'][string] }, ...more });

    it('keeps what it came from, and mixes it again', async () => {
      const mine = app('one', { versions: [built(RUNNABLE_ENGINES[0]!)] });
      const others = (revision: number): Assignment => app('one', { versions: [built('999')], variablesRevision: revision });
      const path = await save('mixed.json', [answerOf(key, [mine]), answerOf(next, [others(1)], 'b'), answerOf(next, [others(2)], 'c'), answerOf(next, [others(3)], 'd')], [key, next]);
      const held = await new Snapshot(path, '1', believing(key, next), log).load();
      expect(held!.assignments[0]).toMatchObject({ variablesRevision: 3, versions: [{ builds: { main: { plan: old } } }] });
      // What lay between is not kept.
      expect((await readFile(path, 'utf8')).trim().split('\n').at(-2)!.match(/signedBy/g)).toHaveLength(2);
      expect((await new Snapshot(path, '1', believing(next), log).load())!.assignments[0]).toMatchObject({ variablesRevision: 3, versions: [{ builds: { main: { plan } } }] });
    });
  });
});
