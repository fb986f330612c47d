import { StoreError } from './key-value-store.js';

/** Where a listing goes on, as text that fits into a URL. */
export const toCursor = (place: string): string => Buffer.from(place).toString('base64url');

/** The place of a cursor. Throws StoreError for what `toCursor` did not make. */
export function fromCursor(cursor: string): string {
  const place = Buffer.from(cursor, 'base64url').toString();
  if (cursor === '' || toCursor(place) !== cursor) throw badCursor();
  return place;
}

export const badCursor = (): StoreError => new StoreError('the cursor is not of this listing');
