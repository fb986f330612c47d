import { describe, expect, it } from '@jest/globals';
import { assignmentOf } from '../../../test/fixtures/assignment.js';
import { adopt } from './adopt.js';

const app = 'app' as ReturnType<typeof assignmentOf>['app'];
const other = 'other' as typeof app;
const held = { revision: 'a', assignments: [assignmentOf({ app, generation: 5, variablesRevision: 3 }), assignmentOf({ app: other, generation: 2 })] };

describe('adopt', () => {
  it('takes everything when nothing is held', () => {
    expect(adopt(undefined, held)).toEqual(held);
  });

  it('takes newer generations, newer values and new apps', () => {
    const answer = { revision: 'b', assignments: [assignmentOf({ app, generation: 6 }), assignmentOf({ app: other, generation: 2, variablesRevision: 1 })] };
    expect(adopt(held, answer)).toEqual(answer);
  });

  it('keeps an app whose assignment in the answer is older, and takes the rest', () => {
    const answer = { revision: 'b', assignments: [assignmentOf({ app, generation: 4, variablesRevision: 9 }), assignmentOf({ app: other, generation: 3 })] };
    expect(adopt(held, answer)).toEqual({ revision: 'b', assignments: [held.assignments[0], answer.assignments[1]] });
  });

  it('keeps the newer values of the same generation', () => {
    const answer = { revision: 'b', assignments: [assignmentOf({ app, generation: 5, variablesRevision: 2 })] };
    expect(adopt(held, answer).assignments).toEqual([held.assignments[0]]);
  });

  it('lets go of an app that a newer answer does not name', () => {
    const answer = { revision: 'b', assignments: [held.assignments[1]!] };
    expect(adopt(held, answer)).toEqual(answer);
  });
});
