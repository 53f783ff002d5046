/**
 * The namespace's constants.
 *
 * @module
 */

/** Euler's number. */
export const e: number = Math.E;
export const pi: number = Math.PI;
export const inf: number = Infinity;
export const nan: number = NaN;
/** In an index: a new dimension of size 1. */
export const newaxis: null = null;

/** A layout or memory format: a name that prints as PyTorch's. */
export class Constant {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  toString(): string {
    return `torch.${this.name}`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** The layout of every tensor here. */
export const strided: Constant = new Constant("strided");
/** Memory formats: accepted wherever PyTorch has the argument; results keep the order that the operator gives them. */
export const contiguous_format: Constant = new Constant("contiguous_format");
export const preserve_format: Constant = new Constant("preserve_format");
export const channels_last: Constant = new Constant("channels_last");
export const channels_last_3d: Constant = new Constant("channels_last_3d");
