import { LinkError } from '../build-error.js';

/** Definitions walked, once for each instantiation: what doubles at every level of nesting ends here, not after hours. */
const MAX_DEFINITIONS = 500_000;
/** Instances inside instances; WIT knows two levels. */
const MAX_DEPTH = 100;

/** Bounds the work of one link whatever the component says. */
export class LinkBudget {
  private definitions = 0;
  private depth = 0;

  spend(): void {
    if (++this.definitions > MAX_DEFINITIONS) {
      throw new LinkError('limit', `more than ${MAX_DEFINITIONS} definitions once nested components are unfolded`);
    }
  }

  nested<T>(walk: () => T): T {
    if (++this.depth > MAX_DEPTH) throw new LinkError('limit', `instances are nested deeper than ${MAX_DEPTH}`);
    try {
      return walk();
    } finally {
      this.depth--;
    }
  }
}
