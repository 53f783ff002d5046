/**
 * Base classes of pipes: datasets that are made of one another, `source.map(f).batch(4)`.
 *
 * @module
 */
import { RuntimeError } from "../../../base/errors.ts";
import { Dataset, IterableDataset } from "../dataset.ts";

/** A functional form: gets the pipe that it is called on and the arguments. */
export type PipeFunction = (source: never, ...args: never[]) => unknown;

const FEEDBACK = "\nFor feedback regarding this single iterator per IterDataPipe constraint, feel free " +
  "to comment on this issue: https://github.com/pytorch/data/issues/45.";

// deno-lint-ignore no-explicit-any -- what flows through a pipe is the program's business
type Any = any;

/** Options of the functional forms that take a column. */
interface ColumnOptions {
  input_col?: number | string | readonly (number | string)[] | null;
  output_col?: number | string | readonly (number | string)[] | null;
}

// The functional forms, which datapipes/iter.ts and datapipes/map.ts register.
export interface IterDataPipe<T> {
  map<U = Any>(fn: (sample: T, ...columns: Any[]) => U, options?: ColumnOptions): IterDataPipe<U>;
  map<U = Any>(fn: (...columns: Any[]) => unknown, options: ColumnOptions): IterDataPipe<U>;
  filter(
    filter_fn: (...columns: Any[]) => boolean,
    options?: Pick<ColumnOptions, "input_col">,
  ): IterDataPipe<T>;
  collate<U = Any>(collate_fn?: (samples: T) => U): IterDataPipe<U>;
  shuffle(options?: { buffer_size?: number; unbatch_level?: number }): IterDataPipe<T> & ShuffleControl;
  batch(batch_size: number, drop_last?: boolean | { drop_last?: boolean }): IterDataPipe<DataChunk<T>>;
  unbatch<U = Any>(unbatch_level?: number | { unbatch_level?: number }): IterDataPipe<U>;
  groupby(group_key_fn: (sample: T) => unknown, options?: {
    buffer_size?: number;
    group_size?: number | null;
    guaranteed_group_size?: number | null;
    drop_remaining?: boolean;
  }): IterDataPipe<DataChunk<T>>;
  sharding_filter(): IterDataPipe<T>;
  concat<U = T>(...datapipes: IterDataPipe<U>[]): IterDataPipe<T | U>;
  mux<U = T>(...datapipes: IterDataPipe<U>[]): IterDataPipe<T | U>;
  zip(...datapipes: IterDataPipe[]): IterDataPipe<Any[]>;
  fork(num_instances: number, buffer_size?: number | { buffer_size?: number }): IterDataPipe<T>[];
  demux(
    num_instances: number,
    classifier_fn: (sample: T) => number | null,
    drop_none?: boolean | { drop_none?: boolean; buffer_size?: number },
    buffer_size?: number,
  ): IterDataPipe<T>[];
}
export interface MapDataPipe<T> {
  map<U = Any>(fn: (sample: T) => U): MapDataPipe<U>;
  shuffle(options?: { indices?: readonly Any[] | null }): IterDataPipe<T> & ShuffleControl;
  batch(batch_size: number, drop_last?: boolean | { drop_last?: boolean }): MapDataPipe<DataChunk<T>>;
  concat<U = T>(...datapipes: MapDataPipe<U>[]): MapDataPipe<T | U>;
  zip(...datapipes: MapDataPipe[]): MapDataPipe<Any[]>;
}
/** What a shuffler can be told. */
interface ShuffleControl {
  set_shuffle(shuffle?: boolean): this;
  set_seed(seed: number | bigint): this;
}

/**
 * Base class of pipes that give samples one after the other: a subclass overrides `[Symbol.iterator]`, and `reset()` if
 * something has to be put back when a new iteration begins. Only one iterator is valid at a time.
 *
 * @see https://pytorch.org/data/0.5/torchdata.datapipes.iter.html
 */
export class IterDataPipe<T = unknown> extends IterableDataset<T> {
  /** Functional forms by name: `dp.name(...)`. */
  static readonly functions: Record<string, PipeFunction> = {};

  /** Counts iterations; null before the first. */
  _valid_iterator_id: number | null = null;

  constructor() {
    super();
    const iterate = this[Symbol.iterator];
    // On the instance, because a subclass's own method stands before any of this class.
    Object.defineProperty(this, Symbol.iterator, {
      value: () => this.#checked(iterate.call(this)),
      configurable: true,
    });
  }

  /** Another thread makes an instance this way, then gives it its properties. */
  static __new__(): object {
    return Reflect.construct(IterDataPipe, [], this) as object;
  }

  *#checked(iterator: Iterator<T>): globalThis.Generator<T> {
    const id = this._begin();
    for (;;) {
      this._check(id);
      const { done, value } = iterator.next();
      if (done) return;
      yield value;
    }
  }

  /** A new iteration begins: the earlier iterators are no longer valid. */
  _begin(): number {
    this._valid_iterator_id = this._valid_iterator_id === null ? 0 : this._valid_iterator_id + 1;
    this.reset();
    return this._valid_iterator_id;
  }

  /** Throws if iteration `id` is not the latest. */
  _check(id: number): void {
    if (this._valid_iterator_id === id) return;
    throw new RuntimeError(
      "This iterator has been invalidated because another iterator has been created from the same IterDataPipe: " +
        `${this}\nThis may be caused multiple references to the same IterDataPipe. We recommend using \`.fork()\` if ` +
        `that is necessary.${FEEDBACK}`,
    );
  }

  /** Called when an iteration begins. */
  reset(): void {}

  /** Makes `pipe.name(...args)` call `f(pipe, ...args)`. */
  static register_function(name: string, f: PipeFunction): void {
    register(IterDataPipe, name, f);
  }
  /** Makes `pipe.name(...args)` a `new type(pipe, ...args)`. */
  static register_datapipe_as_function(name: string, type: PipeType): void {
    refuseTaken(IterDataPipe, name);
    register(IterDataPipe, name, (source, ...args) => new type(source, ...args));
  }

  override toString(): string {
    return this.constructor.name;
  }
}

/**
 * Base class of pipes that have samples by number or key: a subclass overrides `__getitem__` and `__len__`.
 *
 * @see https://pytorch.org/data/0.5/torchdata.datapipes.map.html
 */
export class MapDataPipe<T = unknown> extends Dataset<T> {
  /** Functional forms by name: `dp.name(...)`. */
  static readonly functions: Record<string, PipeFunction> = {};

  static register_function(name: string, f: PipeFunction): void {
    register(MapDataPipe, name, f);
  }
  static register_datapipe_as_function(name: string, type: PipeType): void {
    refuseTaken(MapDataPipe, name);
    register(MapDataPipe, name, (source, ...args) => new type(source, ...args));
  }

  override toString(): string {
    return this.constructor.name;
  }
}

// deno-lint-ignore no-explicit-any -- constructors of pipes differ in what they take
type PipeType = new (source: any, ...args: any[]) => unknown;
type Base = { readonly functions: Record<string, PipeFunction>; readonly prototype: object };

function refuseTaken(base: Base, name: string): void {
  if (Object.hasOwn(base.functions, name)) {
    throw new RuntimeError(`Unable to add DataPipe function name ${name} as it is already taken`);
  }
}

function register(base: Base, name: string, f: PipeFunction): void {
  base.functions[name] = f;
  Object.defineProperty(base.prototype, name, {
    value(this: unknown, ...args: unknown[]) {
      return f(this as never, ...args as never[]);
    },
    configurable: true,
    writable: true,
  });
}

/** Gives a pipe class a functional form: `functional_datapipe("map")(Mapper)`. */
export function functional_datapipe(name: string): <C extends PipeType>(type: C) => C {
  return (type) => {
    const { prototype } = type as { prototype: unknown };
    if (prototype instanceof IterDataPipe) IterDataPipe.register_datapipe_as_function(name, type);
    else if (prototype instanceof MapDataPipe) MapDataPipe.register_datapipe_as_function(name, type);
    else throw new TypeError("`functional_datapipe` can only decorate IterDataPipe");
    return type;
  };
}

/** A batch of a pipe: a list. */
export class DataChunk<T = unknown> extends Array<T> {
  // map, slice, filter give plain arrays.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  static fromArray<T>(items: readonly T[]): DataChunk<T> {
    const chunk = new DataChunk<T>(items.length);
    items.forEach((item, i) => chunk[i] = item);
    return chunk;
  }

  /** The items, or what is in them if they are chunks too. */
  *raw_iterator(): globalThis.Generator<unknown> {
    yield* this;
  }
}
