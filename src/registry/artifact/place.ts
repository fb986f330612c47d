/** Where the bytes of a digest lie during a push: in a file, or in the store when there is no path. */
export interface Place {
  bytes: number;
  path?: string;
}
