/**
 * `torch.Size`: an array of dimension sizes that prints as PyTorch's.
 *
 * @module
 */

/** The shape of a tensor. An ordinary array with PyTorch's text and `numel()`. */
export class Size extends Array<number> {
  // map, slice, filter give plain arrays.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  static fromArray(sizes: readonly number[]): Size {
    const s = new Size(sizes.length);
    for (let i = 0; i < sizes.length; i++) s[i] = sizes[i]!;
    return s;
  }

  /** The number of elements of a tensor of this shape. */
  numel(): number {
    return numelOf(this);
  }

  override toString(): string {
    return `torch.Size([${this.join(", ")}])`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** The product of `sizes`. */
export function numelOf(sizes: readonly number[]): number {
  let n = 1;
  for (let i = 0; i < sizes.length; i++) n *= sizes[i]!;
  return n;
}

/** Row-major strides, with PyTorch's rule that a size of 0 counts as 1. */
export function contiguousStrides(sizes: readonly number[]): number[] {
  const n = sizes.length;
  const strides = new Array<number>(n);
  let s = 1;
  for (let i = n - 1; i >= 0; i--) {
    strides[i] = s;
    const d = sizes[i]!;
    if (d > 1) s *= d;
  }
  return strides;
}

/** Are elements laid out row-major without gaps? */
export function isContiguous(sizes: readonly number[], strides: readonly number[]): boolean {
  let s = 1;
  for (let i = sizes.length - 1; i >= 0; i--) {
    const d = sizes[i]!;
    if (d === 0) return true;
    if (d !== 1) {
      if (strides[i] !== s) {
        // A later size of 0 makes any layout contiguous.
        for (let k = i - 1; k >= 0; k--) if (sizes[k] === 0) return true;
        return false;
      }
      s *= d;
    }
  }
  return true;
}

/** Do the strides cover numel elements in some order, without gaps or overlap? */
export function isNonOverlappingAndDense(sizes: readonly number[], strides: readonly number[]): boolean {
  const dims: number[] = [];
  for (let i = 0; i < sizes.length; i++) if (sizes[i] !== 1) dims.push(i);
  dims.sort((a, b) => strides[a]! - strides[b]!);
  let s = 1;
  for (const d of dims) {
    if (sizes[d] === 0) return true;
    if (strides[d] !== s) return false;
    s *= sizes[d]!;
  }
  return true;
}

/**
 * Strides of a new tensor that keep the memory order of one with these: PyTorch's preserve_format. Dense layouts stay as
 * they are; gaps are closed, and expanded dimensions get memory where their neighbours have it
 * (c10/core/MemoryFormat and ATen/ExpandUtils.cpp, infer_dense_strides).
 */
export function preservedStrides(sizes: readonly number[], strides: readonly number[]): readonly number[] {
  if (isNonOverlappingAndDense(sizes, strides)) return strides;
  const order = memoryOrder(sizes, strides);
  const out = new Array<number>(sizes.length);
  let s = 1;
  for (const d of order) {
    out[d] = s;
    if (sizes[d]! > 1) s *= sizes[d]!;
  }
  return out;
}

/** Dimensions in the order in which PyTorch's TensorIterator walks them, innermost first. */
export function memoryOrder(sizes: readonly number[], strides: readonly number[]): number[] {
  const order = sizes.map((_, i) => sizes.length - 1 - i);
  // Expanded dimensions compare with nothing, so this is no total order: PyTorch's insertion sort decides.
  const compare = (a: number, b: number): number => {
    const x = strides[a]!, y = strides[b]!;
    if (x === 0 || y === 0) return 0;
    return x - y || (sizes[a]! > sizes[b]! ? 1 : 0);
  };
  for (let i = 1; i < order.length; i++) {
    let at = i;
    for (let j = i - 1; j >= 0; j--) {
      const c = compare(order[j]!, order[at]!);
      if (c < 0) break;
      if (c > 0) {
        [order[j], order[at]] = [order[at]!, order[j]!];
        at = j;
      }
    }
  }
  return order;
}

/** Same sizes? */
export function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** `[2, 3]`, as PyTorch words shapes in most of its errors. */
export function shapeText(sizes: readonly number[]): string {
  return `[${sizes.join(", ")}]`;
}
