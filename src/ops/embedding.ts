/**
 * Embeddings: rows of a table by index.
 *
 * @module
 */
import { BAG_MODE } from "../_gen/kernels.ts";
import { type DType, int32, int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError, warnOnce } from "../base/errors.ts";
import { fn } from "../dispatch/functions.ts";
import {
  checkInternalOverlap,
  commonBackend,
  emptyTensor,
  packed,
  packedAs,
  runCopy,
} from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";
import { checkedIndex } from "./index_launch.ts";
import { selectRows } from "./rows.ts";

const EMBEDDING_BACKWARD = kernel("tc_embedding_backward");
const EMBEDDING_RENORM = kernel("tc_embedding_renorm");
const EMBEDDING_BAG = kernel("tc_embedding_bag");
const EMBEDDING_BAG_BACKWARD = kernel("tc_embedding_bag_backward");
const ONE_HOT = kernel("tc_one_hot");

const typeName = (d: DType): string => `torch.${d.scalarName}Tensor`;

function checkIndices(name: string, argument: string, indices: Tensor): void {
  if (indices.dtype === int64 || indices.dtype === int32) return;
  throw new RuntimeError(
    `Expected tensor for argument #1 '${argument}' to have one of the following scalar types: Long, Int; but got ${
      typeName(indices.dtype)
    } instead (while checking arguments for ${name})`,
  );
}

function warnSparse(name: string, sparse: boolean): void {
  if (sparse) {
    warnOnce(
      "UserWarning",
      `${name}(): sparse=True has no effect: the gradient of weight is a dense tensor.`,
    );
  }
}

function embedding(weight: Tensor, indices: Tensor): Tensor {
  if (weight.sizes.length !== 2) throw new RuntimeError("'weight' must be 2-D");
  checkIndices("embedding", "indices", indices);
  commonBackend([weight, indices]);
  return selectRows(weight, 0, indices, [...indices.sizes, weight.sizes[1]!]);
}

/** The gradient of an embedding's weight: rows of `grad` added up where their indices say. */
function embeddingBackward(
  grad: Tensor,
  indices: Tensor,
  rows: number,
  padding: number,
  scale: boolean,
): Tensor {
  const backend = grad.storage.backend;
  const d = grad.sizes.at(-1)!;
  const out = emptyTensor([rows, d], grad.dtype, backend);
  if (out.count === 0 || !backend.hasData) return out;
  const at = packed(indices);
  if (grad.count >= 1 << 14) backend.expectWork();
  begin(EMBEDDING_BACKWARD, backend).i(0).i(grad.dtype.code).i(at.dtype.code).p(packed(grad)).p(at).p(out).i(
    at.count,
  )
    .i(rows).i(d).i(padding).b(scale).p(null).d(0).d(0).runWithScratch();
  return out;
}

/** Each gradient row's weight is how often its index occurs, and padding has none. */
function embeddingDoubleBackward(c: Ctx): Tensor {
  const indices: Tensor = c.indices;
  let g: Tensor = fn.embedding!(c.grad, indices);
  if (c.scale_grad_by_freq) {
    const flat = indices.reshape([-1]);
    const counts = flat.bincount().index_select(0, flat).reshape([...indices.sizes, 1]);
    g = g.div(counts);
  }
  return c.padding_idx < 0 ? g : g.masked_fill(indices.eq(c.padding_idx).unsqueeze(-1), 0);
}

function embeddingRenorm(weight: Tensor, indices: Tensor, maxNorm: number, normType: number): void {
  if (weight.sizes.length !== 2) throw new RuntimeError("'self' must be 2-D");
  checkIndices("embedding_renorm_", "indices", indices);
  if (!weight.packed) checkInternalOverlap(weight);
  const backend = commonBackend([weight, indices]);
  if (indices.count === 0 || !backend.hasData) return;
  const table = packed(weight), at = packed(indices);
  const [v, d] = weight.sizes as [number, number];
  checkedIndex(
    () =>
      begin(EMBEDDING_RENORM, backend).i(0).i(weight.dtype.code).i(at.dtype.code).p(null).p(at).p(null).i(
        at.count,
      ).i(v)
        .i(d).i(-1).b(false).p(table).d(maxNorm).d(normType).runWithScratch(),
    () => new IndexError("index out of range in self"),
  );
  if (table !== weight) runCopy(weight, table);
}

// ---- bags ----------------------------------------------------------------------------------------------------------

/** Arguments of embedding_bag after its checks: the struct's fields. */
interface Bag {
  weight: Tensor;
  indices: Tensor;
  offsets: Tensor;
  perSample: Tensor | null;
  mode: number;
  bags: number;
  includeLast: boolean;
  padding: number;
  scale: boolean;
}

function checkBag(
  weight: Tensor,
  indices: Tensor,
  offsets: Tensor,
  mode: number,
  perSample: Tensor | null,
  includeLast: boolean,
  padding: number | null,
): void {
  checkIndices("embedding_bag", "indices", indices);
  checkIndices("embedding_bag", "offsets", offsets);
  if (weight.dtype.kind !== Kind.float) {
    throw new RuntimeError(
      `Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, Float, Double; but got ${
        typeName(weight.dtype)
      } instead (while checking arguments for embedding_bag)`,
    );
  }
  if (perSample !== null) {
    if (mode !== BAG_MODE.SUM) {
      throw new RuntimeError("embedding_bag: per_sample_weights only supported with mode='sum'");
    }
    if (perSample.dtype !== weight.dtype) {
      throw new RuntimeError(
        `Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 'per_sample_weights'; but type ${
          typeName(weight.dtype)
        } does not equal ${typeName(perSample.dtype)} (while checking arguments for embedding_bag)`,
      );
    }
    const expected = perSample.sizes.length !== 1
      ? "per_sample_weights.value().dim() == 1"
      : perSample.count !== indices.count
      ? "per_sample_weights.value().numel() == indices.numel()"
      : null;
    if (expected !== null) {
      throw new RuntimeError(
        `Expected ${expected} to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)`,
      );
    }
  }
  if (includeLast && offsets.count < 1) {
    throw new RuntimeError("include_last_offset: number of offset should be at least 1");
  }
  const rows = weight.sizes[0]!;
  if (padding !== null && (padding < -rows || padding >= rows)) {
    throw new RuntimeError(
      `padding_idx must be within the number of embeddings, -${rows} through ${rows - 1}, but got ${padding}`,
    );
  }
  if (offsets.count > 0 && offsets.storage.backend.hasData) {
    const first = offsets.select(0, 0).item(), last = offsets.select(0, -1).item();
    if (first !== 0) {
      throw new RuntimeError(
        `offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got ${first}`,
      );
    }
    if (last > indices.count) {
      throw new RuntimeError(
        `offsets[-1] can not be greater than input's length ${indices.count} but got offsets[-1] of ${last}`,
      );
    }
  }
}

function bagOf(
  weight: Tensor,
  indices: Tensor,
  offsets: Tensor,
  scale: boolean,
  mode: number,
  perSample: Tensor | null,
  includeLast: boolean,
  padding: number | null,
): Bag {
  // Indices and offsets share a dtype in the kernel.
  const dtype = indices.dtype === int32 && offsets.dtype === int32 ? int32 : int64;
  return {
    weight: packed(weight),
    indices: packedAs(indices, dtype),
    offsets: packedAs(offsets, dtype),
    perSample: perSample === null ? null : packed(perSample),
    mode,
    bags: includeLast ? offsets.count - 1 : offsets.count,
    includeLast,
    padding: padding === null ? -1 : padding < 0 ? padding + weight.sizes[0]! : padding,
    scale,
  };
}

/** The fields from m on, which forward and backward share. */
function bagSizes(k: ReturnType<typeof begin>, b: Bag): ReturnType<typeof begin> {
  const [v, d] = b.weight.sizes as [number, number];
  return k.i(b.indices.count).i(v).i(d).i(b.bags).b(b.includeLast).i(b.padding).b(b.scale);
}

function bagForward(b: Bag): Tensor[] {
  const backend = b.weight.storage.backend;
  const d = b.weight.sizes[1]!;
  const out = emptyTensor([b.bags, d], b.weight.dtype, backend);
  const sizes = emptyTensor([b.bags], int64, backend),
    bagOfIndex = emptyTensor([b.indices.count], int64, backend);
  const maxima = emptyTensor(b.mode === BAG_MODE.MAX ? [b.bags, d] : [0], int64, backend);
  if (!backend.hasData) return [out, bagOfIndex, sizes, maxima];
  if (b.indices.count * d >= 1 << 14) backend.expectWork();
  checkedIndex(() => {
    const k = begin(EMBEDDING_BAG, backend).i(0).i(b.weight.dtype.code).i(b.indices.dtype.code).i(b.mode).p(
      b.weight,
    )
      .p(b.indices).p(b.offsets).p(b.perSample).p(out).p(sizes).p(bagOfIndex).p(
        b.mode === BAG_MODE.MAX ? maxima : null,
      )
      .p(null).p(null).p(null);
    bagSizes(k, b).run();
  }, (index, size, _dim, position) =>
    new RuntimeError(
      `[enforce fail at embedding_lookup_idx.cc:214] 0 <= idx && idx < data_size. Index ${position} is out of bounds: ${index}, range 0 to ${size}`,
    ));
  return [out, bagOfIndex, sizes, maxima];
}

/** Gradients of the weight and of the sample weights. */
function bagBackward(
  grad: Tensor,
  b: Bag,
  bagOfIndex: Tensor,
  sizes: Tensor,
  maxima: Tensor,
  samples: boolean,
): Tensor[] {
  const backend = grad.storage.backend;
  const out = emptyTensor(b.weight.sizes, grad.dtype, backend);
  const perSample = emptyTensor(samples ? [b.indices.count] : [0], grad.dtype, backend);
  if (!backend.hasData) return [out, perSample];
  const k = begin(EMBEDDING_BAG_BACKWARD, backend).i(0).i(grad.dtype.code).i(b.indices.dtype.code).i(b.mode)
    .p(b.weight)
    .p(b.indices).p(b.offsets).p(b.perSample).p(null).p(sizes).p(bagOfIndex)
    .p(b.mode === BAG_MODE.MAX ? maxima : null).p(packed(grad)).p(out).p(samples ? perSample : null);
  bagSizes(k, b).runWithScratch();
  return [out, perSample];
}

function embeddingBagBackward(c: Ctx): (Tensor | null)[] {
  const [weight, samples] = fn._embedding_bag_backward!(
    c.grad,
    c.weight,
    c.indices,
    c.offsets,
    c.result1,
    c.result2,
    c.result3,
    c.scale_grad_by_freq,
    c.mode,
    c.per_sample_weights,
    c.include_last_offset,
    c.padding_idx,
  );
  return [weight, c.per_sample_weights === null ? null : samples];
}

function oneHot(self: Tensor, classes: number): Tensor {
  if (self.dtype !== int64) throw new RuntimeError("one_hot is only applicable to index tensor.");
  const backend = self.storage.backend;
  if (self.count === 0) {
    if (classes <= 0) throw new RuntimeError("Can not infer total number of classes from empty tensor.");
    return emptyTensor([...self.sizes, classes], int64, backend);
  }
  if (backend.hasData && self.min().item() < 0) throw new RuntimeError("Class values must be non-negative.");
  const most = backend.hasData ? Number(self.max().item()) : 0;
  if (classes !== -1 && most >= classes) {
    throw new RuntimeError("Class values must be smaller than num_classes.");
  }
  const n = classes === -1 ? most + 1 : classes;
  const out = emptyTensor([...self.sizes, n], int64, backend);
  if (backend.hasData) begin(ONE_HOT, backend).p(packed(self)).p(out).i(self.count).i(n).run();
  return out;
}

const BAG_ARGUMENTS =
  "bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int? padding_idx=None";

export const embeddings: Table = {
  embedding: [op({
    schema:
      "embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
    impl: (weight: Tensor, indices: Tensor, _padding: number, _scale: boolean, sparse: boolean) => {
      warnSparse("embedding", sparse);
      return embedding(weight, indices);
    },
    only: "function",
    saves: ["indices"],
    derivative: {
      weight: (c) =>
        fn.embedding_dense_backward!(
          c.grad,
          c.indices,
          c.sizesOf("weight")[0]!,
          c.padding_idx,
          c.scale_grad_by_freq,
        ),
      indices: "nonDifferentiable",
    },
    doc: "Rows of `weight` by index.",
  })],
  embedding_dense_backward: [op({
    schema:
      "embedding_dense_backward(Tensor grad_output, Tensor indices, int num_weights, int padding_idx, bool scale_grad_by_freq) -> Tensor",
    impl: embeddingBackward,
    only: "hidden",
    saves: ["indices"],
    derivative: { grad_output: embeddingDoubleBackward, indices: "nonDifferentiable" },
    doc: "Gradient of embedding.",
  })],
  embedding_renorm_: [op({
    schema: "embedding_renorm_(Tensor self, Tensor indices, float max_norm, float norm_type) -> Tensor",
    impl: embeddingRenorm,
    mutates: true,
    only: "function",
    doc: "Scales the rows at the indices down to a norm of at most `max_norm`, in place.",
  })],
  embedding_bag: [op({
    schema:
      `embedding_bag(Tensor weight, Tensor indices, Tensor offsets, ${BAG_ARGUMENTS}) -> (Tensor, Tensor, Tensor, Tensor)`,
    impl: (
      weight: Tensor,
      indices: Tensor,
      offsets: Tensor,
      scale: boolean,
      mode: number,
      sparse: boolean,
      perSample: Tensor | null,
      includeLast: boolean,
      padding: number | null,
    ) => {
      warnSparse("embedding_bag", sparse);
      commonBackend([weight, indices, offsets, perSample]);
      checkBag(weight, indices, offsets, mode, perSample, includeLast, padding);
      return bagForward(bagOf(weight, indices, offsets, scale, mode, perSample, includeLast, padding));
    },
    only: "function",
    saves: ["weight", "indices", "offsets", "per_sample_weights", "result1", "result2", "result3"],
    derivative: {
      "weight, per_sample_weights": embeddingBagBackward,
      indices: "nonDifferentiable",
      offsets: "nonDifferentiable",
    },
    doc:
      "Sums, means or maxima of bags of rows; also the bag of each index, the bags' sizes and where maxima came from.",
  })],
  _embedding_bag_backward: [op({
    schema:
      "_embedding_bag_backward(Tensor grad, Tensor weight, Tensor indices, Tensor offsets, Tensor offset2bag, Tensor bag_size, Tensor maximum_indices, bool scale_grad_by_freq, int mode, Tensor? per_sample_weights, bool include_last_offset, int? padding_idx) -> (Tensor, Tensor)",
    impl: (
      grad: Tensor,
      weight: Tensor,
      indices: Tensor,
      offsets: Tensor,
      bagOfIndex: Tensor,
      sizes: Tensor,
      maxima: Tensor,
      scale: boolean,
      mode: number,
      perSample: Tensor | null,
      includeLast: boolean,
      padding: number | null,
    ) =>
      bagBackward(
        grad,
        bagOf(weight, indices, offsets, scale, mode, perSample, includeLast, padding),
        bagOfIndex,
        sizes,
        maxima,
        perSample !== null,
      ),
    only: "hidden",
    derivative: {
      grad: "notImplemented",
      weight: "notImplemented",
      per_sample_weights: "notImplemented",
      indices: "nonDifferentiable",
    },
    doc: "Gradient of embedding_bag.",
  })],
  one_hot: [op({
    schema: "one_hot(Tensor self, int num_classes=-1) -> Tensor",
    impl: oneHot,
    only: "function",
    doc: "1 at each class number, 0 elsewhere.",
  })],
};
