// What Spin itself answers, from the worlds of its sources: 4.0 is the newest release, 4.1 its main branch (no release yet).

/** Answers without a condition since a released version. */
const YES = 'yes';
const MAIN = 'main (4.1)';

/** The first rule that fits an interface says what stands in Spin's row. */
const RULES = [
  [/^(wasi:blobstore|wasi:logging|whorl:)/, 'no'],
  [/^wasi:otel/, 'with a flag'],
  [/^wasi:.*@0\.3$/, MAIN],
  [/./, YES],
];

/** @param {string} iface `wasi:http/types@0.2`, with the version as in the capability table */
export function spinAnswers(iface) {
  return RULES.find(([pattern]) => pattern.test(iface))[1];
}
