/**
 * Type promotion and broadcasting.
 *
 * @see https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
 * @module
 */
import { DType, get_default_dtype, Kind, promote_types, toComplex } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { promoteWithKind, type Scalar, scalarDtype, scalarKind } from "../base/scalar.ts";
import { sameSizes } from "../base/size.ts";
import { Tensor } from "../tensor.ts";

/** Tensors with dimensions go before 0-dim tensors, and these before numbers, unless the latter's kind is higher. */
function combine(higher: DType | null, lower: DType | null): DType | null {
  if (higher === null) return lower;
  if (lower === null || higher.kind === Kind.complex) return higher;
  if (higher.kind === Kind.float) return lower.kind === Kind.complex ? toComplex(higher) : higher;
  if (higher.kind === Kind.bool || lower.kind >= Kind.float) return promote_types(higher, lower);
  return higher;
}

/** `torch.result_type` of any operands. */
export function resultType(operands: readonly (Tensor | Scalar)[]): DType {
  let dim: DType | null = null, zero: DType | null = null, number: DType | null = null;
  for (const x of operands) {
    if (x instanceof Tensor) {
      if (x.sizes.length > 0) dim = dim === null ? x.dtype : promote_types(dim, x.dtype);
      else zero = zero === null ? x.dtype : promote_types(zero, x.dtype);
    } else {
      const d = scalarDtype(x);
      number = number === null ? d : promote_types(number, d);
    }
  }
  return combine(combine(dim, zero), number) ?? get_default_dtype();
}

/** `resultType` of two operands, at least one of them a tensor. */
export function resultType2(a: Tensor | Scalar, b: Tensor | Scalar): DType {
  if (a instanceof Tensor) {
    if (b instanceof Tensor) return a.dtype === b.dtype ? a.dtype : resultType([a, b]);
    return promoteWithKind(a.dtype, scalarKind(b));
  }
  return b instanceof Tensor ? promoteWithKind(b.dtype, scalarKind(a)) : resultType([a, b]);
}

/** The float dtype in which an operation that needs one computes. */
export function toFloating(d: DType): DType {
  return d.kind >= Kind.float ? d : get_default_dtype();
}

/** The broadcast of two shapes. */
export function broadcast2(a: readonly number[], b: readonly number[]): readonly number[] {
  if (sameSizes(a, b)) return a;
  const n = Math.max(a.length, b.length);
  const out = new Array<number>(n);
  for (let i = n - 1, p = a.length - 1, q = b.length - 1; i >= 0; i--, p--, q--) {
    const x = p >= 0 ? a[p]! : 1, y = q >= 0 ? b[q]! : 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new RuntimeError(
        `The size of tensor a (${x}) must match the size of tensor b (${y}) at non-singleton dimension ${i}`,
      );
    }
    out[i] = x === 1 ? y : x;
  }
  return out;
}

/** The broadcast of any shapes. */
export function broadcastAll(shapes: readonly (readonly number[])[]): readonly number[] {
  let out: readonly number[] = [];
  for (const s of shapes) out = broadcast2(out, s);
  return out;
}
