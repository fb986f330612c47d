import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from '@jest/globals';
import { isPlainSelect, isShortRead, type Instruction } from './read-program.js';

const db = new DatabaseSync(':memory:');
db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INT); CREATE INDEX by_n ON t (n); CREATE TABLE w (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE TABLE g (id INTEGER PRIMARY KEY, x TEXT, y AS (x LIKE x)); CREATE VIEW v AS SELECT * FROM t');
afterAll(() => db.close());
const isShort = (sql: string) => isShortRead(db.prepare(`EXPLAIN ${sql}`).all() as unknown as Instruction[]);

describe(isShortRead, () => {
  it.each([
    'SELECT 1', 'SELECT ?, 2', 'SELECT * FROM t WHERE id = ?', 'SELECT id, n FROM t WHERE name = ?', 'SELECT * FROM v WHERE id = ?', 'SELECT * FROM w WHERE a = ? AND b = ?',
    'SELECT n + 1, name || ? FROM t WHERE id = ? AND n > 5', 'SELECT u.name FROM t JOIN t u ON u.id = t.n WHERE t.id = ?', 'SELECT coalesce(n, ?), length(name) FROM t WHERE id = ?',
  ])('lets through what looks up a row: %s', (sql) => {
    expect(isShort(sql)).toBe(true);
  });

  it.each([
    'SELECT * FROM t', 'SELECT * FROM t LIMIT 1', 'SELECT * FROM t WHERE n = ?', 'SELECT count(*) FROM t', 'SELECT * FROM t WHERE id IN (1, 2)', 'SELECT max(n) FROM t',
    'SELECT * FROM t ORDER BY name', 'SELECT * FROM t a, t b WHERE a.id = 1', 'VALUES (1), (2)',
    'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c', 'SELECT (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c)',
    'INSERT INTO t (n) VALUES (1)', 'UPDATE t SET n = 1 WHERE id = 1', 'DELETE FROM t WHERE id = 1', 'CREATE TABLE x (a)', 'DROP TABLE t', 'VACUUM', 'BEGIN', 'COMMIT', 'PRAGMA integrity_check',
    'PRAGMA table_info(t)', 'SELECT * FROM pragma_table_info(\'t\')', 'SELECT value FROM json_each(\'[1]\')', 'ATTACH \'x\' AS y', 'ANALYZE', 'REINDEX', 'SAVEPOINT s',
    'SELECT y FROM g WHERE id = 1', 'SELECT replace(name, ?, ?) FROM t WHERE id = 1', 'SELECT name GLOB ? FROM t WHERE id = 1', 'SELECT randomblob(1000000)',
  ])('keeps out what walks, writes or does anything else: %s', (sql) => {
    expect(isShort(sql)).toBe(false);
  });

  it('keeps out programs that jump back', () => {
    const line = (opcode: string, p2: number): Instruction => ({ opcode, p2, p4: null });
    const program = [line('Init', 4), line('Integer', 1), line('If', 1), line('Halt', 0), line('Goto', 1)];
    expect(isShortRead(program)).toBe(false);
    expect(isShortRead(program.with(2, line('If', 3)))).toBe(true);
    expect(isShortRead(program.with(2, line('If', 4)))).toBe(false);
    expect(isShortRead(program.with(0, line('Init', 1)))).toBe(false);
    expect(isShortRead([])).toBe(false);
  });
});

describe(isPlainSelect, () => {
  it('lets through one SELECT of tables', () => {
    expect(isPlainSelect('SELECT * FROM t WHERE id = ?', [])).toBe(true);
    expect(isPlainSelect(' select a, b from t join u on u.id = t.id', ['recent', 'other'])).toBe(true);
  });

  it.each([
    ['a common table', 'WITH a AS (VALUES (1)) SELECT * FROM a', []],
    ['a common table inside', 'SELECT (WITH a AS (VALUES (1)) VALUES (1))', []],
    ['a subquery', 'SELECT * FROM (SELECT 1)', []],
    ['a view', 'SELECT * FROM "Recent"', ['recent']],
    ['a view whose name could be written in several ways', 'SELECT * FROM "a""b"', ['a"b']],
    ['one of too many views', 'SELECT 1', Array.from({ length: 101 }, (_, i) => `v${i}`)],
    ['something else', 'INSERT INTO t VALUES (1)', []],
    ['more than anybody writes by hand', `SELECT '${'x'.repeat(5_000)}'`, []],
  ])('keeps out %s', (_, sql, views) => {
    expect(isPlainSelect(sql, views)).toBe(false);
  });
});
