/**
 * Where function transforms step between a call and its row: `torch.vmap` runs operators on batched tensors as
 * operators on the tensors below. While nothing is mapped this costs one comparison.
 *
 * @module
 */
import type { Row } from "./op.ts";

/** What an interposer answers for calls that are none of its business. */
export const PASS: unique symbol = Symbol("pass");

/** Set by `autograd/vmap/dispatch.ts`; `active` while a mapped function runs. */
export const interpose = {
  active: false,
  run: (_row: Row, _args: readonly unknown[], _inplace: boolean): unknown => PASS,
};
