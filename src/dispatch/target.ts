/**
 * Where a direct row writes its result: into the tensor of an in-place call, or into a new one.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";

/** The tensor that the running in-place call writes; null for an ordinary call. */
export const target: { tensor: Tensor | null } = { tensor: null };
