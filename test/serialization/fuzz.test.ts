import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, FakeTensor, good, loadFake } from "./fixtures.ts";

/** Damage: overwrite, cut out, repeat or insert a few bytes. */
type Edit = { kind: "set" | "cut" | "repeat" | "insert"; at: number; length: number; bytes: Uint8Array };

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom("set", "set", "set", "cut", "repeat", "insert"),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  length: fc.integer({ min: 1, max: 64 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
});

function damage(bytes: Uint8Array, { kind, at, length, bytes: extra }: Edit): Uint8Array {
  const i = Math.floor(at * bytes.length), head = bytes.subarray(0, i), tail = bytes.subarray(i);
  if (kind === "cut") return Uint8Array.from([...head, ...tail.subarray(length)]);
  if (kind === "repeat") return Uint8Array.from([...head, ...tail.subarray(0, length), ...tail]);
  if (kind === "insert") return Uint8Array.from([...head, ...extra, ...tail]);
  const out = bytes.slice();
  out.set(extra.subarray(0, bytes.length - i), i);
  return out;
}

/** The bytes of all tensors in a value. */
function weight(value: unknown, seen = new Set<unknown>()): number {
  if (typeof value !== "object" || value === null || seen.has(value)) return 0;
  seen.add(value);
  if (value instanceof FakeTensor) return value.bytes.length;
  const parts = value instanceof Map
    ? [...value].flat()
    : Array.isArray(value) || value instanceof Set
    ? [...value]
    : Object.values(value);
  return parts.reduce((n: number, part) => n + weight(part, seen), 0);
}

/** Loads what may be anything: either a value in proportion to the file, or one of our errors, soon. */
function survive(bytes: Uint8Array): void {
  const start = performance.now();
  let value: unknown;
  try {
    value = loadFake(bytes);
  } catch (error) {
    // Our own errors all the way down: no TypeError of a missed check, no RangeError of a stack or an allocation.
    for (let e = error as Error | undefined; e; e = e.cause as Error | undefined) {
      expect(["RuntimeError", "Error"], `${e}`).toContain(e.name);
    }
  }
  expect(weight(value)).toBeLessThanOrEqual(bytes.length * 1100);
  expect(performance.now() - start).toBeLessThan(2000);
}

const small = good.map((f) => f.file).filter((file) => bytesOf(file).length < 3000);

describe("a damaged checkpoint", () => {
  it("is loaded or refused, whatever was changed", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...small),
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        (file, edits) => {
          survive(edits.reduce(damage, bytesOf(file)));
        },
      ),
      { seed: 1, numRuns: 4000 },
    );
  });
  it("is loaded or refused, whichever single byte was changed", { timeout: 60_000 }, () => {
    for (const file of ["slice_only.pt", "views_legacy.pt", "parameters.pt"]) {
      const bytes = bytesOf(file);
      for (let i = 0; i < bytes.length; i++) {
        for (const value of [255, bytes[i]! ^ 1]) {
          const changed = bytes.slice();
          changed[i] = value;
          survive(changed);
        }
      }
    }
  });
  it(
    "is loaded or refused when it is nothing but noise behind a plausible beginning",
    { timeout: 60_000 },
    () => {
      const begin = fc.constantFrom([0x80, 2], [0x50, 0x4b, 3, 4], []);
      fc.assert(
        fc.property(
          begin,
          fc.uint8Array({ maxLength: 200 }),
          (head, noise) => survive(Uint8Array.from([...head, ...noise])),
        ),
        { seed: 2, numRuns: 4000 },
      );
    },
  );
});
