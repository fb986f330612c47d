import { describe, expect, it } from '@jest/globals';
import { dateOfDays, isDate, splitMicros } from './calendar.js';

describe(dateOfDays.name, () => {
  it('agrees with Date wherever that reaches, and goes on beyond', () => {
    for (let days = -1_000_000; days < 1_000_000; days += 997) {
      const date = new Date(days * 86_400_000);
      expect(dateOfDays(days)).toEqual([date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]);
    }
    for (const days of [0, 59, 60, 10_956, 11_016, 19_782, -719_468, -719_469]) {
      const date = new Date(days * 86_400_000);
      expect(dateOfDays(days)).toEqual([date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]);
    }
    // the last day of PostgreSQL
    expect(dateOfDays(2_145_031_948 + 10_957)).toEqual([5_874_897, 12, 31]);
  });
});

describe(isDate.name, () => {
  it('knows leap years, before our era too', () => {
    expect([[2000, 2, 29], [2024, 2, 29], [0, 2, 29], [-4, 2, 29], [1, 12, 31]].every((each) => isDate(each as [number, number, number]))).toBe(true);
    expect([[1900, 2, 29], [2023, 2, 29], [2023, 4, 31], [2023, 0, 1], [2023, 13, 1], [2023, 1, 0]].some((each) => isDate(each as [number, number, number]))).toBe(false);
  });
});

describe(splitMicros.name, () => {
  it('counts the time of the day forward, before 1970 too', () => {
    expect(splitMicros(-1n)).toEqual({ days: -1, time: [23, 59, 59, 999_999_000] });
    expect(splitMicros(86_400_000_000n)).toEqual({ days: 1, time: [0, 0, 0, 0] });
  });
});
