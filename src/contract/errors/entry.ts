export interface ErrorEntry {
  /** HTTP status where it is answered. */
  status: number;
  title: string;
  /** Who can mend it: the one who calls, or the one who runs the platform. */
  fault: 'user' | 'system';
  /** What to do. */
  hint: string;
}
