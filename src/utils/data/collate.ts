/**
 * From samples to batches.
 *
 * @module
 */
import { float64, int64 } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { PyFloat } from "../../base/scalar.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { isKeywords } from "../signature.ts";
import { typename } from "../typename.ts";

/** What the default collation makes of samples of a type. */
export type Collated<T> = T extends Tensor | number | bigint | boolean ? Tensor
  : T extends string ? string[]
  : T extends ArrayBufferView ? Tensor
  : T extends readonly unknown[] ? { -readonly [K in keyof T]: Collated<T[K]> }
  : T extends ReadonlyMap<infer K, infer V> ? Map<K, Collated<V>>
  : T extends object ? { [K in keyof T]: Collated<T[K]> }
  : unknown;

/**
 * Makes a batch of samples: stacks tensors, makes tensors of numbers (int64 if they are whole, else float64), and does
 * the same inside arrays, maps and plain objects. A number that may be whole and shall count as a float all the same is
 * `torch.pyfloat(2)`.
 */
export function default_collate<T>(batch: readonly T[]): Collated<T> {
  return collate(batch) as Collated<T>;
}

function collate(batch: readonly unknown[]): unknown {
  const first = batch[0];
  if (first instanceof Tensor) return aten.stack(batch as Tensor[]);
  if (typeof first === "number" || first instanceof PyFloat) {
    const whole = batch.every((x) => typeof x === "number" && Number.isInteger(x));
    return aten.tensor((batch as (number | PyFloat)[]).map(Number), { dtype: whole ? int64 : float64 });
  }
  if (typeof first === "bigint" || typeof first === "boolean") {
    return aten.tensor(batch as bigint[] | boolean[]);
  }
  if (typeof first === "string") return [...batch];
  if (ArrayBuffer.isView(first)) return aten.stack((batch as Float32Array[]).map((x) => aten.as_tensor(x)));
  if (Array.isArray(first)) {
    if (!(batch as unknown[][]).every((x) => x.length === first.length)) {
      throw new RuntimeError("each element in list of batch should be of equal size");
    }
    return first.map((_, i) => collate((batch as unknown[][]).map((x) => x[i])));
  }
  if (first instanceof Map) {
    return new Map(
      [...first.keys()].map((k) => [k, collate((batch as Map<unknown, unknown>[]).map((x) => x.get(k)))]),
    );
  }
  if (isKeywords(first)) {
    return Object.fromEntries(
      Object.keys(first).map((k) => [k, collate((batch as Record<string, unknown>[]).map((x) => x[k]))]),
    );
  }
  throw new TypeError(
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found " +
      `<class '${typename(first)}'>`,
  );
}

/** Makes tensors of typed arrays, also inside arrays, maps and plain objects; leaves the rest as it is. */
export function default_convert(data: unknown): unknown {
  if (ArrayBuffer.isView(data)) return aten.as_tensor(data as Float32Array);
  if (Array.isArray(data)) return data.map(default_convert);
  if (data instanceof Map) return new Map([...data].map(([k, v]) => [k, default_convert(v)]));
  if (isKeywords(data)) {
    return Object.fromEntries(Object.entries(data).map(([k, v]) => [k, default_convert(v)]));
  }
  return data;
}
