/**
 * `torch.nn.Parameter`: a tensor that a module owns and an optimizer changes.
 *
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import type { Device } from "../base/device.ts";
import type { DType } from "../base/dtype.ts";
import { escape } from "../base/storage.ts";
import { Tensor } from "../tensor.ts";
import * as aten from "../ops/mod.ts";
import { signature } from "../utils/signature.ts";
import type { Memo } from "../utils/copy.ts";

const PARAMETER = signature<{ data?: Tensor | null; requires_grad?: boolean }>("Parameter", {
  data: null,
  requires_grad: true,
});

/**
 * A tensor that is a module's parameter once it is assigned to one of the module's properties. It shares the memory
 * of `data` and requires a gradient unless told otherwise.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
 */
export class Parameter extends Tensor {
  constructor(data?: Tensor | null, requires_grad?: boolean | { requires_grad?: boolean });
  constructor(...args: unknown[]) {
    const a = PARAMETER(args);
    const data = a.data ?? aten.empty([0]);
    super(
      data.storage,
      data.dtype,
      data.sizes,
      data.strides,
      data.offset,
      data.count,
      data.packed,
      data.anchor,
    );
    escape(data.storage); // it outlives the scope that it may be made in
    if (a.requires_grad) this.requires_grad_(true);
  }

  override toString(): string {
    return `Parameter containing:\n${super.toString()}`;
  }
  [Symbol.toPrimitive](hint: string): unknown {
    return hint === "string" || this.count !== 1 ? this.toString() : this.item();
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  __deepcopy__(memo: Memo): Parameter {
    const copy = new Parameter(this.detach().clone(), this.requires_grad);
    memo.set(this, copy);
    return copy;
  }
}

const UNINITIALIZED = signature<
  { requires_grad?: boolean; device?: Device | string | null; dtype?: DType | null }
>(
  "UninitializedParameter",
  { requires_grad: true, device: null, dtype: null },
);

function noShape(): RuntimeError {
  return new RuntimeError(
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` " +
      "when trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the " +
      "parameters before accessing their attributes.",
  );
}

/** A parameter whose shape is not known yet: `torch.nn.parameter.UninitializedParameter`. */
export class UninitializedParameter extends Parameter {
  constructor(options?: { requires_grad?: boolean; device?: Device | string | null; dtype?: DType | null }) {
    const a = UNINITIALIZED([options]);
    super(aten.empty([0], { device: a.device, dtype: a.dtype }), a.requires_grad);
  }

  override get shape(): never {
    throw noShape();
  }

  /** Gives the parameter its shape; from then on it is an ordinary Parameter. Its values are undefined. */
  materialize(shape: readonly number[], device?: Device | string | null, dtype?: DType | null): void {
    const like = { device: device ?? this.device, dtype: dtype ?? this.dtype };
    Object.setPrototypeOf(this, Parameter.prototype);
    this.data = aten.empty(shape, like);
    escape(this.storage);
  }

  override toString(): string {
    return "<UninitializedParameter>";
  }
}

/** A buffer whose shape is not known yet: `torch.nn.parameter.UninitializedBuffer`. */
export class UninitializedBuffer extends Tensor {
  constructor(options: { device?: Device | string | null; dtype?: DType | null } = {}) {
    const t = aten.empty([0], { device: options.device ?? null, dtype: options.dtype ?? null });
    super(t.storage, t.dtype, t.sizes, t.strides, t.offset, t.count, t.packed, t.anchor);
  }

  override get shape(): never {
    throw noShape();
  }

  /** Gives the buffer its shape; from then on it is an ordinary Tensor. Its values are undefined. */
  materialize(shape: readonly number[], device?: Device | string | null, dtype?: DType | null): void {
    const like = { device: device ?? this.device, dtype: dtype ?? this.dtype };
    Object.setPrototypeOf(this, Tensor.prototype);
    this.data = aten.empty(shape, like);
    escape(this.storage);
  }

  override toString(): string {
    return "<UninitializedBuffer>";
  }
}

/** Is it a parameter or buffer without a shape yet? */
export function is_lazy(x: unknown): x is UninitializedParameter | UninitializedBuffer {
  return x instanceof UninitializedParameter || x instanceof UninitializedBuffer;
}
