import { InputStream } from '../io/input-stream.js';

/** Always has something to give: nothing is read ahead for those who ask. */
export class FileStream extends InputStream {
  override ready(): boolean {
    return true;
  }
}
