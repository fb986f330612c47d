import type { Connection, FieldDef, Submittable } from 'pg';
import type { WireParameter } from './parameter.js';

/** Where the rows of a query go. */
export interface RowSink {
  columns(fields: readonly FieldDef[]): void;
  /** Views that are gone after the call. Throws when no more is wanted: the rest is dropped, and the query fails with that. */
  row(fields: readonly (Buffer | null)[]): void;
}

/** The library calls these on what it has submitted. */
interface Answered {
  handleRowDescription(message: { fields: FieldDef[] }): void;
  handleDataRow(message: { fields: (Buffer | null)[] }): void;
  handleCommandComplete(message: { text: string }): void;
  handleEmptyQuery(): void;
  handlePortalSuspended(): void;
  handleCopyInResponse(connection: Connection): void;
  handleCopyData(): void;
  handleReadyForQuery(): void;
  handleError(error: Error): void;
}

/** Of the library's connection, and of the one that it is given here. */
type Plain = Record<string, (message?: unknown) => void>;

function inOneWrite(connection: Connection, write: (to: Plain) => void): void {
  (connection as unknown as { inOneWrite(write: (to: Plain) => void): void }).inOneWrite(write);
}

/**
 * One statement by the extended protocol (PostgreSQL, 54.2.3), all of it in one write: the server infers the types of the parameters, and sends
 * values in its binary form.
 */
export class PortalQuery implements Submittable, Answered {
  private failure: Error | null = null;
  private affected = 0n;

  /**
   * @param done called once, with the number of rows that the statement counted, or with what it failed with
   * @param stop asks the server to send no more
   */
  constructor(
    private readonly text: string,
    private readonly values: readonly WireParameter[],
    private readonly sink: RowSink,
    private readonly done: (failure: Error | null, affected: bigint) => void,
    private readonly stop: () => void,
  ) {}

  submit(connection: Connection): void {
    inOneWrite(connection, (to) => {
      to.parse!({ text: this.text });
      to.bind!({ values: this.values, binary: true });
      to.describe!({ type: 'P', name: '' });
      to.execute!({});
      to.sync!();
    });
  }

  handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.guarded(() => this.sink.columns(fields));
  }

  handleDataRow({ fields }: { fields: (Buffer | null)[] }): void {
    if (!this.failure) this.guarded(() => this.sink.row(fields));
  }

  /** The tag ends in the count: `SELECT 5`, `INSERT 0 3`; others have none. */
  handleCommandComplete({ text }: { text: string }): void {
    const count = / (\d+)$/.exec(text);
    if (count) this.affected = BigInt(count[1]!);
  }

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}

  handleCopyData(): void {}

  /** COPY FROM STDIN has no counterpart in the interfaces. While it runs the server overhears a Sync, so another is due (54.2.5). */
  handleCopyInResponse(connection: Connection): void {
    const to = connection as unknown as Plain;
    to.sendCopyFail!('COPY FROM STDIN is not supported');
    to.sync!();
  }

  handleReadyForQuery(): void {
    this.done(this.failure, this.affected);
  }

  handleError(error: Error): void {
    this.done(this.failure ?? error, 0n);
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failure = error as Error;
      this.stop();
    }
  }
}

/** Asks what columns a statement gives. */
export class DescribeQuery implements Submittable {
  private fields: readonly FieldDef[] = [];

  constructor(private readonly text: string, private readonly done: (failure: Error | null, fields: readonly FieldDef[]) => void) {}

  submit(connection: Connection): void {
    inOneWrite(connection, (to) => {
      to.parse!({ text: this.text });
      to.describe!({ type: 'S', name: '' });
      to.sync!();
    });
  }

  handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.fields = fields;
  }

  handleReadyForQuery(): void {
    this.done(null, this.fields);
  }

  handleError(error: Error): void {
    this.done(error, []);
  }
}
