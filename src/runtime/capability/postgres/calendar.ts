const DAY_US = 86_400_000_000n;
const HOUR_US = 3_600_000_000n;

export type DateTuple = [year: number, month: number, day: number];
export type TimeTuple = [hour: number, minute: number, second: number, nanosecond: number];

/** Days since 1970-01-01 as a date of the proleptic Gregorian calendar (year 0 is 1 BC). `Date` reaches only ±100 million days, so by hand. */
export function dateOfDays(days: number): DateTuple {
  // years begin in March, so that the leap day is the last one; 400 years are an era
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return [year, month, dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1];
}

/** Whether there is such a day. */
export function isDate([year, month, day]: DateTuple): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}

export function isTime([hour, minute, second, nanosecond]: TimeTuple): boolean {
  return hour < 24 && minute < 60 && second < 60 && nanosecond < 1_000_000_000;
}

/** Microseconds since 1970-01-01T00:00 as days and a time of the day. */
export function splitMicros(micros: bigint): { days: number; time: TimeTuple } {
  const inDay = ((micros % DAY_US) + DAY_US) % DAY_US;
  return { days: Number((micros - inDay) / DAY_US), time: timeOfMicros(inDay) };
}

/** Microseconds since midnight. */
export function timeOfMicros(micros: bigint): TimeTuple {
  const inHour = Number(micros % HOUR_US);
  return [Number(micros / HOUR_US), Math.floor(inHour / 60_000_000), Math.floor(inHour / 1_000_000) % 60, (inHour % 1_000_000) * 1000];
}
