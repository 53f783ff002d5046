/**
 * What all transforms have in common.
 *
 * @module
 */

/** Anything that changes a sample: a transform or a plain function. */
// deno-lint-ignore no-explicit-any -- a chain's links agree among themselves
export type TransformFunction = (sample: any) => any;

/** Makes every instance a function that calls its own `forward`. */
class Callable {
  constructor() {
    const self = (sample: unknown): unknown => (self as unknown as Transform).forward(sample);
    // A function's own `name` and `length` are read-only; without them properties of these names are free.
    Reflect.deleteProperty(self, "name");
    Reflect.deleteProperty(self, "length");
    return Object.setPrototypeOf(self, new.target.prototype) as Callable;
  }
}

/** A transform is called like a function: `transform(image)`. */
export interface Transform {
  (sample: Parameters<this["forward"]>[0]): ReturnType<this["forward"]>;
}

/** Base class of transforms. */
export class Transform extends Callable {
  /** A worker thread makes an instance this way, then gives it its properties. */
  static __new__(): object {
    return Reflect.construct(Callable, [], this) as object;
  }

  /** Changes a sample. */
  // deno-lint-ignore no-explicit-any -- subclasses say what they take
  forward(sample: any): any {
    return sample;
  }

  /**
   * Whether each pixel of the result depends on the value and channel of the same pixel alone, always in the same way. Datasets
   * of bytes then work a chain out once for all 256 values, and make whole batches by looking these up.
   */
  get pixelwise(): boolean {
    return false;
  }

  override toString(): string {
    return `${this.constructor.name}()`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** Is `transform` known to treat every pixel by itself? */
export function isPixelwise(transform: TransformFunction): boolean {
  return transform instanceof Transform && transform.pixelwise;
}

/** A link of a chain as it is printed inside of it. */
export function describe(transform: TransformFunction): string {
  return transform instanceof Transform ? String(transform) : `<function ${transform.name || "<lambda>"}>`;
}
