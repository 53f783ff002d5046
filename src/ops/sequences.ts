/**
 * Padding and packing of sequences of different lengths.
 *
 * @module
 */
import { int64 } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";

export const sequences: Table = {
  pad_sequence: [op({
    schema: "pad_sequence(Tensor[] sequences, bool batch_first=False, float padding_value=0.0) -> Tensor",
    composite: (list: Tensor[], batchFirst: boolean, value: number) => {
      if (list.length === 0) throw new RuntimeError("received an empty list of sequences");
      const longest = Math.max(...list.map((t) => t.sizes[0]!));
      const padded = list.map((t) => {
        const missing = longest - t.sizes[0]!;
        if (missing === 0) return t;
        const pad = [...new Array<number>(2 * (t.sizes.length - 1)).fill(0), 0, missing];
        return fn.constant_pad_nd!(t, pad, value) as Tensor;
      });
      return fn.stack!(padded, batchFirst ? 0 : 1);
    },
    only: "hidden",
    doc: "Stacks sequences, padded to the longest.",
  })],
  _pack_padded_sequence: [op({
    schema: "_pack_padded_sequence(Tensor input, Tensor lengths, bool batch_first) -> (Tensor, Tensor)",
    composite: (input: Tensor, lengths: Tensor, batchFirst: boolean) => {
      const x = batchFirst ? input.transpose(0, 1) : input;
      const n = (lengths.tolist() as number[]).map(Number);
      if (input.count === 0) throw new RuntimeError("Cannot pack empty tensors.");
      if (n.length !== x.sizes[1]) {
        throw new RuntimeError(
          `Expected \`len(lengths)\` to be equal to batch_size, but got ${n.length} (batch_size=${
            x.sizes[1]
          })`,
        );
      }
      if (n[n.length - 1]! <= 0) {
        throw new RuntimeError(
          "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0",
        );
      }
      for (let i = 1; i < n.length; i++) {
        if (n[i]! > n[i - 1]!) {
          throw new RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability.",
          );
        }
      }
      const sizes = Array.from({ length: n[0]! }, (_, t) => n.filter((k) => k > t).length);
      const parts = sizes.map((alive, t) => x.select(0, t).narrow(0, 0, alive));
      return [fn.cat!(parts, 0), input.new_tensor(sizes.map(BigInt), { dtype: int64, device: "cpu" })];
    },
    only: "hidden",
    doc: "Padded sequences, sorted by length, step by step without the padding.",
  })],
  _pad_packed_sequence: [op({
    schema:
      "_pad_packed_sequence(Tensor data, Tensor batch_sizes, bool batch_first, Scalar padding_value, int total_length) -> (Tensor, Tensor)",
    composite: (data: Tensor, batchSizes: Tensor, batchFirst: boolean, value: number, total: number) => {
      const sizes = (batchSizes.tolist() as number[]).map(Number);
      const batch = sizes[0]!;
      const length = total > 0 ? total : sizes.length;
      if (total > 0 && total < sizes.length) {
        throw new RuntimeError(
          `Expected total_length to be at least the length of the longest sequence in input, but got total_length=${total} and max sequence length being ${sizes.length}`,
        );
      }
      const steps = (data.split_with_sizes(sizes, 0) as Tensor[]).map((part, t) => {
        const missing = batch - sizes[t]!;
        if (missing === 0) return part;
        const pad = [...new Array<number>(2 * (part.sizes.length - 1)).fill(0), 0, missing];
        return fn.constant_pad_nd!(part, pad, value) as Tensor;
      });
      let out = fn.stack!(steps, 0) as Tensor;
      if (length > sizes.length) {
        const pad = [...new Array<number>(2 * (out.sizes.length - 1)).fill(0), 0, length - sizes.length];
        out = fn.constant_pad_nd!(out, pad, value) as Tensor;
      }
      const lengths = Array.from({ length: batch }, (_, b) => BigInt(sizes.filter((s) => s > b).length));
      return [
        batchFirst ? out.transpose(0, 1) : out,
        data.new_tensor(lengths, { dtype: int64, device: "cpu" }),
      ];
    },
    only: "hidden",
    doc: "Packed sequences with padding again, and their lengths.",
  })],
};
