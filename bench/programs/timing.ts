/** Times one thing, as bench/torch/workloads.py does: the best of five rounds of as many calls as fill the target time. */

const WARM_SECONDS = 0.3; // engines compile what runs often only after a while
const ROUNDS = 5;

/** Milliseconds per call. */
export function measure(call: () => unknown, targetSeconds = 0.15): number {
  const began = performance.now();
  let calls = 0;
  do {
    call();
    calls++;
  } while (calls < 3 || performance.now() - began < WARM_SECONDS * 1e3);
  const once = (performance.now() - began) / calls;
  const n = Math.min(
    20_000,
    Math.max(1, Math.floor(targetSeconds * 1e3 / once)),
  );
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < n; i++) call();
    best = Math.min(best, (performance.now() - start) / n);
  }
  return best;
}
