/**
 * Where something steps between a call and its row: autocast converts arguments, `torch.vmap` runs operators on batched
 * tensors as operators on the tensors below. While neither is in use this costs one comparison.
 *
 * @module
 */
import type { Row } from "./op.ts";

/** What an interposer answers for calls that are none of its business. */
export const PASS: unique symbol = Symbol("pass");

/** Steps between a call and its row. */
export type Interposer = (row: Row, args: readonly unknown[], inplace: boolean) => unknown;

const pass: Interposer = () => PASS;

/** `map` is set by `autograd/vmap/dispatch.ts`, `cast` by `dispatch/autocast.ts`. */
export const interpose = {
  /** Whether calls have to ask `run`. */
  active: false,
  mapping: false,
  casting: false,
  map: pass,
  cast: pass,
  setMapping(on: boolean): void {
    this.mapping = on;
    this.active = on || this.casting;
  },
  setCasting(on: boolean): void {
    this.casting = on;
    this.active = on || this.mapping;
  },
  run(row: Row, args: readonly unknown[], inplace: boolean): unknown {
    if (this.casting) {
      const result = this.cast(row, args, inplace);
      if (result !== PASS) return result;
    }
    return this.mapping ? this.map(row, args, inplace) : PASS;
  },
};
