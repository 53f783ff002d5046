/**
 * Finding what a program keeps although it should not: a detector for tests.
 *
 * @module
 */
import { collectUnreachable } from "../base/collect.ts";
import { RuntimeError } from "../base/errors.ts";
import { ANCHOR_BYTES, anchoring, type Storage } from "../base/storage.ts";

/** Tensors that every round leaves behind. */
export interface Leak {
  /** How many were left, by all rounds together. */
  readonly count: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Where they were made: a JavaScript stack. */
  readonly stack: string;
}

/**
 * Runs `body` again and again and tells which tensors of every round are still held afterwards, and where they were
 * made; an empty list if nothing is. The first `warmup` rounds may keep what they like (optimizer state, caches). Needs a
 * runtime that can be asked to collect (Node, Deno).
 *
 * ```ts
 * expect(torch.utils.find_leaks(() => trainOneStep())).toEqual([]);
 * ```
 */
export function find_leaks(
  body: () => void,
  { warmup = 2, rounds = 3 }: { warmup?: number; rounds?: number } = {},
): Leak[] {
  if (!(rounds > 0)) {
    throw new RuntimeError(`find_leaks(): expected rounds to be positive, but got ${rounds}`);
  }
  for (let i = 0; i < warmup; i++) body();
  const made = new Map<Storage, { round: number; stack: string }>();
  let round = 0;
  anchoring.from = 0;
  anchoring.made = (s) => made.set(s, { round, stack: callers() });
  try {
    for (; round < rounds; round++) body();
  } finally {
    anchoring.from = ANCHOR_BYTES;
    anchoring.made = null;
  }
  if (!collectUnreachable()) throw new RuntimeError("find_leaks(): this runtime cannot be asked to collect");
  const groups = new Map<string, { rounds: Set<number>; count: number; bytes: number; stack: string }>();
  for (const [s, { round, stack }] of made) {
    if (s.released || (s.refs === 0 && s.held?.deref() === undefined)) continue;
    const key = `${s.nbytes}\n${stack}`;
    let group = groups.get(key);
    if (group === undefined) groups.set(key, group = { rounds: new Set(), count: 0, bytes: 0, stack });
    group.rounds.add(round);
    group.count++;
    group.bytes += s.nbytes;
  }
  return [...groups.values()].filter((group) => group.rounds.size === rounds)
    .map(({ count, bytes, stack }) => ({ count, bytes, stack })).sort((a, b) => b.bytes - a.bytes);
}

/** The stack without the detector's own part, deep enough to reach the program through the library. */
function callers(): string {
  const engine = Error as { stackTraceLimit?: number }, limit = engine.stackTraceLimit ?? 10;
  engine.stackTraceLimit = 50;
  const stack = new Error().stack ?? "";
  engine.stackTraceLimit = limit;
  return stack.split("\n").slice(4).join("\n");
}
