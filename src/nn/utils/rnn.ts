/**
 * Sequences of different lengths: `torch.nn.utils.rnn`.
 *
 * @module
 */
import {
  bool,
  DType,
  float16,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  uint8,
} from "../../base/dtype.ts";
import type { Device } from "../../base/device.ts";
import { AssertionError, RuntimeError, ValueError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { typename } from "../../utils/typename.ts";

/** The permutation that undoes `permutation`. */
export function invert_permutation(permutation: Tensor): Tensor;
export function invert_permutation(permutation: Tensor | null): Tensor | null;
export function invert_permutation(permutation: Tensor | null): Tensor | null {
  if (permutation === null) return null;
  const positions = aten.arange(0, permutation.numel(), { device: permutation.device });
  return aten.empty_like(permutation).scatter_(0, permutation, positions);
}

/** A device or a dtype. */
type Target = Device | DType | string;

/**
 * Sequences of different lengths, one time step after the other: first the first elements of all, then the second
 * ones of those that are that long. Made by `pack_padded_sequence` and `pack_sequence`.
 */
export class PackedSequence {
  readonly data: Tensor;
  /** How many sequences reach each time step. */
  readonly batch_sizes: Tensor;
  readonly sorted_indices: Tensor | null;
  readonly unsorted_indices: Tensor | null;

  constructor(
    data: Tensor,
    batch_sizes: Tensor,
    sorted_indices: Tensor | null = null,
    unsorted_indices: Tensor | null = null,
  ) {
    if (!(data instanceof Tensor) || !(batch_sizes instanceof Tensor)) throw new AssertionError("");
    if (batch_sizes.device.type !== "cpu") {
      throw new ValueError(
        "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They should " +
          "be instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn. " +
          "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence",
      );
    }
    this.data = data;
    this.batch_sizes = batch_sizes;
    this.sorted_indices = sorted_indices;
    this.unsorted_indices = unsorted_indices ?? invert_permutation(sorted_indices);
  }

  *[Symbol.iterator](): Generator<Tensor | null> {
    yield this.data;
    yield this.batch_sizes;
    yield this.sorted_indices;
    yield this.unsorted_indices;
  }

  /** Moves or converts the data. */
  to(target: Target): PackedSequence {
    const data = target instanceof DType ? this.data.to(target) : this.data.to(target);
    if (data === this.data) return this;
    const move = (t: Tensor | null): Tensor | null => t?.to(data.device) ?? null;
    return new PackedSequence(data, this.batch_sizes, move(this.sorted_indices), move(this.unsorted_indices));
  }
  cuda(): PackedSequence {
    return this.to("cuda");
  }
  cpu(): PackedSequence {
    return this.to("cpu");
  }
  double(): PackedSequence {
    return this.to(float64);
  }
  float(): PackedSequence {
    return this.to(float32);
  }
  half(): PackedSequence {
    return this.to(float16);
  }
  long(): PackedSequence {
    return this.to(int64);
  }
  int(): PackedSequence {
    return this.to(int32);
  }
  short(): PackedSequence {
    return this.to(int16);
  }
  char(): PackedSequence {
    return this.to(int8);
  }
  byte(): PackedSequence {
    return this.to(uint8);
  }
  bool(): PackedSequence {
    return this.to(bool);
  }
  get is_cuda(): boolean {
    return this.data.is_cuda;
  }
}

interface BatchFirst {
  batch_first?: boolean;
}
interface PackOptions extends BatchFirst {
  enforce_sorted?: boolean;
}
type Lengths = Tensor | readonly number[];
const PACK = signature<{ input: Tensor; lengths: Lengths } & PackOptions>("pack_padded_sequence", {
  input: required,
  lengths: required,
  batch_first: false,
  enforce_sorted: true,
});
/** Packs padded sequences; they must be sorted by length, longest first, unless `enforce_sorted` is false. */
export function pack_padded_sequence(
  input: Tensor,
  lengths: Lengths,
  batch_first?: boolean | PackOptions,
  enforce_sorted?: boolean | PackOptions,
): PackedSequence;
export function pack_padded_sequence(...args: unknown[]): PackedSequence {
  const { input, lengths, batch_first, enforce_sorted } = PACK(args);
  let sizes = aten.as_tensor(lengths as Tensor | number[], { dtype: int64 });
  let x = input, order: Tensor | null = null;
  if (!enforce_sorted) {
    const sorted = aten.sort(sizes, { descending: true });
    sizes = sorted[0];
    order = sorted[1].to(input.device);
    x = input.index_select(batch_first ? 0 : 1, order);
  }
  const [data, batch_sizes] = aten._pack_padded_sequence(x, sizes, batch_first);
  return new PackedSequence(data, batch_sizes, order);
}

interface PadPackedOptions extends BatchFirst {
  padding_value?: number;
  total_length?: number | null;
}
const PAD_PACKED = signature<{ sequence: PackedSequence } & PadPackedOptions>("pad_packed_sequence", {
  sequence: required,
  batch_first: false,
  padding_value: 0,
  total_length: null,
});
/** The padded sequences of a packed one, and their lengths. */
export function pad_packed_sequence(
  sequence: PackedSequence,
  batch_first?: boolean | PadPackedOptions,
  padding_value?: number | PadPackedOptions,
  total_length?: number | null,
): [Tensor, Tensor];
export function pad_packed_sequence(...args: unknown[]): [Tensor, Tensor] {
  const { sequence, batch_first, padding_value, total_length } = PAD_PACKED(args);
  const longest = sequence.batch_sizes.size(0);
  if (total_length !== null && total_length < longest) {
    throw new ValueError(
      "Expected total_length to be at least the length of the longest sequence in input, but got " +
        `total_length=${total_length} and max sequence length being ${longest}`,
    );
  }
  const [padded, lengths] = aten._pad_packed_sequence(
    sequence.data,
    sequence.batch_sizes,
    batch_first,
    padding_value,
    total_length ?? longest,
  );
  const order = sequence.unsorted_indices;
  if (order === null) return [padded, lengths];
  return [padded.index_select(batch_first ? 0 : 1, order), lengths.index_select(0, order.cpu())];
}

interface PadOptions extends BatchFirst {
  padding_value?: number;
}
const PAD = signature<{ sequences: Iterable<Tensor> } & PadOptions>("pad_sequence", {
  sequences: required,
  batch_first: false,
  padding_value: 0,
});
/** Stacks sequences, the shorter ones padded at the end. */
export function pad_sequence(
  sequences: Iterable<Tensor>,
  batch_first?: boolean | PadOptions,
  padding_value?: number,
): Tensor;
export function pad_sequence(...args: unknown[]): Tensor {
  const { sequences, batch_first, padding_value } = PAD(args);
  if (typeof sequences[Symbol.iterator] !== "function") {
    throw new RuntimeError(
      `pad_sequence: Expected iterable for input sequences, but got arg of type: <class '${
        typename(sequences)
      }'>`,
    );
  }
  return aten.pad_sequence([...sequences], batch_first, padding_value);
}

/** The sequences without their padding. */
export function unpad_sequence(
  padded_sequences: Tensor,
  lengths: Tensor,
  batch_first: boolean | BatchFirst = false,
): Tensor[] {
  const first = typeof batch_first === "boolean" ? batch_first : batch_first.batch_first ?? false;
  const rows = first ? padded_sequences : padded_sequences.transpose(0, 1);
  return (lengths.tolist() as (number | bigint)[]).map((n, i) => rows.select(0, i).narrow(0, 0, Number(n)));
}

/** Packs sequences of different lengths. */
export function pack_sequence(
  sequences: readonly Tensor[],
  enforce_sorted: boolean | { enforce_sorted?: boolean } = true,
): PackedSequence {
  const sorted = typeof enforce_sorted === "boolean" ? enforce_sorted : enforce_sorted.enforce_sorted ?? true;
  return pack_padded_sequence(pad_sequence(sequences), sequences.map((s) => s.size(0)), {
    enforce_sorted: sorted,
  });
}

/** The sequences of a packed one. */
export function unpack_sequence(packed_sequences: PackedSequence): Tensor[] {
  const [padded, lengths] = pad_packed_sequence(packed_sequences, true);
  return unpad_sequence(padded, lengths, true);
}
