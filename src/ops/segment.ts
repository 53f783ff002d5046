/**
 * Reductions of segments of a dimension.
 *
 * @module
 */
import { int32, int64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { type Scalar, toNumber } from "../base/scalar.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Table } from "../dispatch/op.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import type { Tensor } from "../tensor.ts";
import { refuse } from "./refuse.ts";

/** What an empty segment without an initial value gives; a mean of nothing is NaN. */
const EMPTY: Readonly<Record<string, number>> = { sum: 0, mean: NaN, prod: 1, max: -Infinity, min: Infinity };

function check(
  data: Tensor,
  reduce: string,
  lengths: Tensor | null,
  offsets: Tensor | null,
  axis: number,
): void {
  const fail = (text: string): never => {
    throw new RuntimeError(`segment_reduce(): ${text}`);
  };
  if (data.count === 0) {
    throw new RuntimeError(
      "Expected data.numel() > 0 to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    );
  }
  const given = offsets ?? lengths;
  if (given === null) return fail("Either lengths or offsets must be defined.");
  if (EMPTY[reduce] === undefined) throw new RuntimeError(`unsupported reduction given! ${reduce}`);
  const name = offsets === null ? "lengths" : "offsets";
  if (given.dtype !== int64 && given.dtype !== int32) {
    fail(`Expected ${name} to be of integer dtype, but got ${given.dtype}.`);
  }
  if (axis !== given.sizes.length - 1) {
    fail(`Expected axis to be the last dimension of ${name} but got ${axis}.`);
  }
  if (data.dtype.kind !== Kind.float) {
    refuse("_segment_reduce_cpu", data.dtype);
  }
}

/** Where each segment ends, by prefix of the data's dimensions. */
function endsOf(lengths: Tensor, n: number, unsafe: boolean): Tensor {
  const ends = lengths.cumsum(-1);
  if (unsafe) return ends;
  if (lengths.min().item() < 0) throw new RuntimeError("lengths contains negative value!");
  if (!ends.select(-1, -1).eq(n).all().item()) {
    throw new RuntimeError(
      "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe.",
    );
  }
  return ends;
}

function segmentReduce(
  data: Tensor,
  reduce: string,
  lengths: Tensor | null,
  indices: Tensor | null,
  offsets: Tensor | null,
  axis: number,
  unsafe: boolean,
  initial: Scalar | null,
): Tensor {
  const d = wrapDim(axis, data.sizes.length);
  if (indices !== null) {
    throw new RuntimeError("segment_reduce(): indices based reduction is not supported yet.");
  }
  check(data, reduce, lengths, offsets, d);
  const n = data.sizes[d]!;
  const sizes = offsets === null ? lengths! : offsets.diff();
  const ends = offsets === null ? endsOf(lengths!, n, unsafe) : offsets.narrow(-1, 1, sizes.sizes[d]!);
  const segments = sizes.sizes[d]!;
  // The segment of each element; what lies behind the last one goes to a place that is cut off.
  const prefix = data.sizes.slice(0, d), rest = data.sizes.slice(d + 1);
  const places = fn.arange!(n, { dtype: ends.dtype, device: data.device }).expand([...prefix, n])
    .contiguous();
  const tail = (t: Tensor): Tensor => rest.reduce((x: Tensor) => x.unsqueeze(-1), t);
  const ids = tail(fn.searchsorted!(ends.contiguous(), places, { right: true })).expand(data.sizes);
  const start = (value: number): Tensor => data.new_full([...prefix, segments + 1, ...rest], value);
  const into = (value: number, how: string): Tensor =>
    start(value).scatter_reduce(d, ids, data, how).narrow(d, 0, segments);
  const first = initial === null ? null : toNumber(initial);
  switch (reduce) {
    case "sum":
    case "prod":
      return into(first ?? EMPTY[reduce]!, reduce);
    case "mean": {
      const count = tail(sizes);
      const sum = into(first ?? 0, "sum");
      return sum.div(count.clamp_min(1)).where(count.gt(0), data.new_full([], first ?? NaN));
    }
    default: {
      const most = into(EMPTY[reduce]!, `a${reduce}`);
      if (first === null) return most;
      const wins = reduce === "max" ? most.lt(first) : most.gt(first);
      return most.masked_fill(wins, first);
    }
  }
}

export const segments: Table = {
  segment_reduce: [op({
    schema:
      "segment_reduce(Tensor data, str reduce, *, Tensor? lengths=None, Tensor? indices=None, Tensor? offsets=None, int axis=0, bool unsafe=False, Scalar? initial=None) -> Tensor",
    composite: segmentReduce,
    only: "function",
    doc:
      "The sum, mean, max, min or prod of each segment of a dimension; segments are given by lengths or offsets.",
  })],
};
