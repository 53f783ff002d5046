/** Pipes against PyTorch's (test/fixtures/record_datapipes.py), shuffles included. */
import { readFileSync } from "node:fs";
import * as torch from "tstorch";
import { describe, expect, it } from "vitest";

const { DataLoader, datapipes: { iter, map } } = torch.utils.data;
const recorded = JSON.parse(
  readFileSync(new URL("../../fixtures/datapipes.json", import.meta.url), "utf8"),
) as Record<string, unknown>;
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const W = <T = number>(x: number | T[]) =>
  new iter.IterableWrapper<T>(typeof x === "number" ? range(x) as T[] : x);
const S = (x: unknown) => new map.SequenceWrapper(x);

function plain(x: unknown): unknown {
  if (x instanceof torch.Tensor) return x.tolist();
  return Array.isArray(x) ? Array.from(x, plain) : x;
}
const list = (x: Iterable<unknown>): unknown => [...x].map(plain);

const CASES: Record<string, () => unknown> = {
  map: () => list(W(4).map((x) => x + 1)),
  map_in: () =>
    list(W([[0, 1, 2], [3, 4, 5]]).map((a, b) => a as unknown as number + b, { input_col: [0, 2] })),
  map_inout: () => list(W([[0, 1, 2], [3, 4, 5]]).map((a) => -a, { input_col: 1, output_col: -1 })),
  map_dict: () => list(W([{ a: 1, b: 2 }]).map((a: number) => a * 10, { input_col: "a", output_col: "c" })),
  filter: () => list(W(6).filter((x) => x % 2 === 0)),
  filter_col: () => list(W([[0, 1], [2, 3]]).filter((x) => x > 1, { input_col: 1 })),
  batch: () => list(W(7).batch(3)),
  batch_drop: () => list(W(7).batch(3, { drop_last: true })),
  unbatch: () => list(W([[[0, 1], [2]], [[3]]]).unbatch({ unbatch_level: 2 })),
  unbatch_all: () => list(W<unknown>([[[0, 1], 2], 3]).unbatch(-1)),
  group: () => list(W(["a1", "b1", "a2", "c1", "b2", "a3"]).groupby((x) => x[0], { group_size: 2 })),
  group_full: () =>
    list(
      W(["a1", "b1", "a2", "c1", "b2", "a3", "c2"]).groupby((x) => x[0], {
        buffer_size: 3,
        group_size: 3,
        guaranteed_group_size: 2,
      }),
    ),
  shuffle() {
    torch.manual_seed(5);
    const shuffled = W(12).shuffle();
    return [list(shuffled), list(shuffled)];
  },
  shuffle_small: () => list(W(12).shuffle({ buffer_size: 4 }).set_seed(123)),
  shuffle_big_seed: () => list(W(12).shuffle().set_seed(2n ** 62n + 12345n)),
  shuffle_off: () => list(W(5).shuffle().set_shuffle(false)),
  mshuffle: () => list(S(range(10)).shuffle().set_seed(0)),
  mux: () => list(W(3).mux(W([10, 11, 12, 13]), W([20, 21]))),
  zip: () => list(W(3).zip(W([5, 6]))),
  concat: () => list(W(2).concat(W(3))),
  fork: () => W(5).fork(2).map(list),
  demux: () => W(6).demux(2, (x) => x % 2).map(list),
  collate: () => list(W(4).batch(2).collate()),
  mbatch: () => list(new DataLoader(S(range(5)).map((x) => x * x).batch(2), { batch_size: null })),
  mzip: () => list(new DataLoader(S([1, 2, 3]).zip(S([4, 5])).concat(S([[7, 8]])), { batch_size: null })),
  loader() {
    torch.manual_seed(1);
    const once = (): unknown => list(new DataLoader(W(8).shuffle(), { batch_size: 4, shuffle: true }));
    return [once(), once()];
  },
  loader_off: () => list(new DataLoader(W(8).shuffle(), { batch_size: 4, shuffle: false })),
  after: () => torch.randint(0, 1000, [1]).item(),
  len: () =>
    [
      W(7).batch(3),
      W(7).batch(3, true),
      W(3).concat(W(4)),
      W(3).zip(W(4)),
      W(3).mux(W(4)),
      W(5).map(Number).shuffle(),
    ].map((pipe) => (pipe as unknown as { length: number }).length),
};

describe("pipes are PyTorch's:", () => {
  it.each(Object.keys(CASES))("%s", (name) => {
    expect(CASES[name]!()).toEqual(recorded[name]);
  });
});

it("says what is wrong as PyTorch does", () => {
  const s = W(3), first = s[Symbol.iterator]();
  first.next();
  s[Symbol.iterator]().next();
  const attempts: (() => unknown)[] = [
    () => list(W(3).map((x) => x, { output_col: 1 })),
    () => W(3).batch(0),
    () => new DataLoader(W(3).filter(() => true)).length,
    () => list(W(2).unbatch()),
    () => W(2).zip(3 as never),
    () => list(W(2).filter((() => 1) as never)),
    () => W(2).fork(0),
    () => list(W(2).demux(2, () => 5)[0]!),
    () => list(W(9).fork(2, { buffer_size: 3 })[0]!),
    () => W(3).map(3 as never),
    () => first.next(),
  ];
  const said = attempts.map((attempt) => {
    try {
      return ["none", attempt()];
    } catch (error) {
      return [(error as Error).name, (error as Error).message];
    }
  }) as [string, string][];
  (recorded["errors"] as [string, string][]).forEach(([name, text], i) => {
    // Python adds the pipe's arguments, and to the names of the classes "IterDataPipe".
    const words = text.split(/\n|\\n/)[0]!.replace(/^\('/, "").replace(
      "FilterIterDataPipe' has",
      "Filter' has",
    )
      .replace("IterableWrapperIterDataPipe(deepcopy=True, iterable=[0, 1, 2])", "IterableWrapper");
    expect(said[i]![0]).toBe(name === "BufferError" ? "RuntimeError" : name);
    expect(said[i]![1]).toContain(words);
  });
});

it("gives a class of one's own a functional form, and finds the pipes of a chain", () => {
  const { IterDataPipe, functional_datapipe, graph_settings } = torch.utils.data;
  class Twice extends IterDataPipe<number> {
    readonly source: Iterable<number>;
    constructor(source: Iterable<number>) {
      super();
      this.source = source;
    }
    override *[Symbol.iterator](): globalThis.Generator<number> {
      for (const x of this.source) yield* [x, x];
    }
  }
  functional_datapipe("twice_for_test")(Twice);
  expect(() => functional_datapipe("twice_for_test")(Twice)).toThrow("as it is already taken");
  const twice = (W(2) as unknown as { twice_for_test(): Twice }).twice_for_test(), end = twice.batch(3);
  expect(list(end)).toEqual([[0, 0, 1], [1]]);
  expect(graph_settings.get_all_graph_pipes(graph_settings.traverse_dps(end)).map(String)).toEqual([
    "Batcher",
    "Twice",
    "IterableWrapper",
  ]);
});
