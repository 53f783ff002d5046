/**
 * Flattening and its reverse.
 *
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { typename } from "../../utils/typename.ts";
import { Module } from "./module.ts";

interface FlattenOptions {
  start_dim?: number;
  end_dim?: number;
}
const FLATTEN = signature<FlattenOptions>("Flatten", { start_dim: 1, end_dim: -1 });

/**
 * Flattens a range of dimensions, by default all but the batch's.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Flatten.html
 */
export class Flatten extends Module {
  start_dim: number;
  end_dim: number;

  constructor(start_dim?: number | FlattenOptions, end_dim?: number | FlattenOptions);
  constructor(...args: unknown[]) {
    super();
    const { start_dim, end_dim } = FLATTEN(args);
    this.start_dim = start_dim;
    this.end_dim = end_dim;
  }

  override forward(input: Tensor): Tensor {
    return input.flatten(this.start_dim, this.end_dim);
  }

  override extra_repr(): string {
    return `start_dim=${this.start_dim}, end_dim=${this.end_dim}`;
  }
}

interface UnflattenOptions {
  dim: number;
  unflattened_size: readonly number[];
}
const UNFLATTEN = signature<UnflattenOptions>("Unflatten", { dim: required, unflattened_size: required });

/**
 * Splits one dimension into several.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Unflatten.html
 */
export class Unflatten extends Module {
  dim: number;
  unflattened_size: readonly number[];

  constructor(
    dim: number | UnflattenOptions,
    unflattened_size?: readonly number[] | Partial<UnflattenOptions>,
  );
  constructor(...args: unknown[]) {
    super();
    const { dim, unflattened_size } = UNFLATTEN(args);
    if (typeof dim !== "number") throw new TypeError("invalid argument type for dim parameter");
    if (!Array.isArray(unflattened_size)) {
      throw new TypeError(
        `unflattened_size must be a tuple of ints, but found type ${typename(unflattened_size)}`,
      );
    }
    unflattened_size.forEach((n: unknown, i) => {
      if (!Number.isInteger(n)) {
        throw new TypeError(
          `unflattened_size must be tuple of ints, but found element of type ${typename(n)} at pos ${i}`,
        );
      }
    });
    this.dim = dim;
    this.unflattened_size = unflattened_size;
  }

  override forward(input: Tensor): Tensor {
    return input.unflatten(this.dim, this.unflattened_size);
  }

  override extra_repr(): string {
    return `dim=${this.dim}, unflattened_size=${pyrepr(this.unflattened_size)}`;
  }
}
