import { LinkError } from '#engine/build/build-error.js';

/**
 * Definitions walked and their parts, once for each instantiation: what doubles at every level of nesting ends here, not after
 * hours. Large real components need some 10,000.
 */
const MAX_DEFINITIONS = 1_000_000;
/** Components inside components, and instances inside instances. */
const MAX_DEPTH = 100;

/** Bounds the work of one link whatever the component says. */
export class LinkBudget {
  private definitions = 0;
  private depth = 0;

  spend(definitions = 1): void {
    this.definitions += definitions;
    if (this.definitions > MAX_DEFINITIONS) {
      throw new LinkError('limit', `more than ${MAX_DEFINITIONS} definitions once nested components are unfolded`);
    }
  }

  nested<T>(walk: () => T): T {
    if (++this.depth > MAX_DEPTH) throw new LinkError('limit', `components or instances are nested deeper than ${MAX_DEPTH}`);
    try {
      return walk();
    } finally {
      this.depth--;
    }
  }
}
