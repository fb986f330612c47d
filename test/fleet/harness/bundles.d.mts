/** A bundle of one small component that answers `text` (at most 16 ASCII characters), sticky by the field `x-user`. */
export function appBundle(text: string, options?: {
  /** Answers 500 where the path begins with /e. */
  failing?: boolean;
  /** So many turns of a loop before each answer, to take time. */
  loops?: number;
  /** More lines of the manifest's [application.tool.whorl]. */
  whorl?: string;
}): Promise<Uint8Array>;
