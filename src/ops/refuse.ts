/**
 * PyTorch's refusal of a dtype.
 *
 * @module
 */
import type { DType } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";

/** Throws what PyTorch says where a kernel has no code for a dtype. */
export function refuse(kernel: string, dtype: DType): never {
  throw new RuntimeError(`"${kernel}" not implemented for '${dtype.scalarName}'`);
}
