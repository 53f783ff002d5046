/**
 * `torch.utils.data.datapipes.iter`: pipes of samples that come one after the other.
 *
 * @module
 */
import { AssertionError, IndexError, RuntimeError, ValueError, warnOnce } from "../../../base/errors.ts";
import { deepcopy } from "../../copy.ts";
import { required, signature } from "../../signature.ts";
import { typename } from "../../typename.ts";
import { default_collate } from "../collate.ts";
import { drawSeed, type Sampler as SamplerBase, SequentialSampler } from "../sampler.ts";
import { applyColumns, type Column, type Columns, columnsOf } from "./columns.ts";
import { DataChunk, functional_datapipe, IterDataPipe } from "./datapipe.ts";
import { lengthIfAny, noLength, requireFunction } from "./lengths.ts";
import { PythonRandom } from "./python_random.ts";

export {
  _ChildDataPipe,
  _DemultiplexerIterDataPipe,
  _ForkerIterDataPipe,
  Demultiplexer,
  Forker,
} from "./iter_children.ts";

type Iteration<T> = globalThis.Generator<T>;
// deno-lint-ignore no-explicit-any -- what flows through a pipe is the program's business
type Any = any;

/** A pipe over one other, with as many samples. */
class Over<T, U = T> extends IterDataPipe<U> {
  datapipe: IterDataPipe<T>;
  constructor(datapipe: IterDataPipe<T>) {
    super();
    this.datapipe = datapipe;
  }
  get length(): number {
    return lengthIfAny(this.datapipe) ?? noLength(this);
  }
}

/** Anything iterable as a pipe. With `deepcopy` every iteration is over a copy. */
export class IterableWrapper<T = Any> extends IterDataPipe<T> {
  iterable: Iterable<T>;
  deepcopy: boolean;
  constructor(iterable: Iterable<T>, options: boolean | { deepcopy?: boolean } = true) {
    super();
    this.iterable = iterable;
    this.deepcopy = typeof options === "boolean" ? options : options.deepcopy ?? true;
  }
  override *[Symbol.iterator](): Iteration<T> {
    let source = this.iterable;
    if (this.deepcopy) {
      try {
        source = deepcopy(source);
      } catch {
        warnOnce(
          "UserWarning",
          "The input iterable can not be deepcopied, please be aware of in-place modification would affect source data.",
        );
      }
    }
    yield* source;
  }
  get length(): number {
    return lengthIfAny(this.iterable) ?? noLength(this);
  }
}

const MAPPER = signature<
  { fn: (...args: Any[]) => unknown; input_col?: Columns | null; output_col?: Columns | null }
>(
  "Mapper",
  { fn: required, input_col: null, output_col: null },
);
/** `fn` of every sample, or of some of its columns. */
export class Mapper<T = Any, U = Any> extends Over<T, U> {
  fn: (...args: Any[]) => unknown;
  input_col: Columns | null;
  output_col: Column | null;
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    super(datapipe);
    const { fn, input_col, output_col } = MAPPER(args);
    this.fn = requireFunction(fn);
    if (input_col === null && output_col !== null) {
      throw new ValueError("`output_col` must be None when `input_col` is None.");
    }
    if (Array.isArray(output_col) && output_col.length > 1) {
      throw new ValueError("`output_col` must be a single-element list or tuple");
    }
    this.input_col = input_col;
    this.output_col = Array.isArray(output_col) ? output_col[0]! : output_col as Column | null;
  }
  override *[Symbol.iterator](): Iteration<U> {
    const { fn, input_col, output_col } = this;
    for (const sample of this.datapipe) yield applyColumns(sample, fn, input_col, output_col) as U;
  }
}
functional_datapipe("map")(Mapper);

const COLLATOR = signature<{
  conversion?: (samples: Any) => unknown;
  collate_fn?: ((samples: Any) => unknown) | null;
}>("Collator", { conversion: default_collate, collate_fn: null });
/** Makes tensors of the lists that come: {@linkcode default_collate}, or a function of your own. */
export class Collator<T = Any, U = Any> extends Mapper<T, U> {
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    const { conversion, collate_fn } = COLLATOR(args);
    super(datapipe, collate_fn ?? conversion);
  }
}
functional_datapipe("collate")(Collator);

const FILTER = signature<{
  filter_fn: (...args: Any[]) => boolean;
  drop_empty_batches?: boolean | null;
  input_col?: Columns | null;
}>("Filter", { filter_fn: required, drop_empty_batches: null, input_col: null });
/** The samples of which `filter_fn` is true. */
export class Filter<T = Any> extends IterDataPipe<T> {
  datapipe: IterDataPipe<T>;
  filter_fn: (...args: Any[]) => boolean;
  drop_empty_batches: boolean;
  input_col: Columns | null;
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    super();
    const { filter_fn, drop_empty_batches, input_col } = FILTER(args);
    this.datapipe = datapipe;
    this.filter_fn = requireFunction(filter_fn) as (...args: Any[]) => boolean;
    this.drop_empty_batches = drop_empty_batches ?? true;
    this.input_col = input_col;
  }
  override *[Symbol.iterator](): Iteration<T> {
    for (const sample of this.datapipe) {
      const keep = this.filter_fn(...columnsOf(sample, this.input_col));
      if (typeof keep !== "boolean") {
        throw new ValueError(
          `Boolean output is required for \`filter_fn\` of FilterIterDataPipe, got <class '${
            typename(keep)
          }'>`,
        );
      }
      if (!keep || sample === null || sample === undefined) continue;
      if (this.drop_empty_batches && Array.isArray(sample) && sample.length === 0) continue;
      yield sample;
    }
  }
}
functional_datapipe("filter")(Filter);

const SHUFFLER = signature<{ buffer_size?: number; unbatch_level?: number }>("Shuffler", {
  buffer_size: 10000,
  unbatch_level: 0,
});
/** In random order: of `buffer_size` samples that wait, a random one is next. */
export class Shuffler<T = Any> extends Over<T> {
  buffer_size: number;
  _enabled = true;
  _seed: bigint | null = null;
  _order: bigint | null = null;
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    const { buffer_size, unbatch_level } = SHUFFLER(args);
    if (!(buffer_size > 0)) throw new AssertionError("buffer_size should be larger than 0");
    super(unbatch_level === 0 ? datapipe : new UnBatcher(datapipe, unbatch_level) as Any);
    this.buffer_size = buffer_size;
  }
  set_shuffle(shuffle = true): this {
    this._enabled = shuffle;
    return this;
  }
  set_seed(seed: number | bigint): this {
    this._seed = BigInt(seed);
    return this;
  }
  override reset(): void {
    if (!this._enabled) return;
    this._order = this._seed ?? drawSeed(null);
    this._seed = null;
  }
  override *[Symbol.iterator](): Iteration<T> {
    if (!this._enabled) return yield* this.datapipe;
    const random = new PythonRandom().seed(this._order!), buffer: T[] = [];
    for (const sample of this.datapipe) {
      if (buffer.length === this.buffer_size) {
        const at = random.below(buffer.length), next = buffer[at]!;
        buffer[at] = sample;
        yield next;
      } else buffer.push(sample);
    }
    while (buffer.length > 0) yield buffer.splice(random.below(buffer.length), 1)[0]!;
  }
}
functional_datapipe("shuffle")(Shuffler);

/** What a sampler takes: by default all in order. */
export class Sampler<T = Any> extends IterDataPipe<T> {
  datapipe: IterDataPipe<T>;
  sampler: SamplerBase<T>;
  constructor(
    datapipe: IterDataPipe<T>,
    sampler: new (data_source: Any, ...args: Any[]) => unknown = SequentialSampler,
    sampler_args: readonly unknown[] = [],
    sampler_kwargs: Record<string, unknown> = {},
  ) {
    super();
    if (lengthIfAny(datapipe) === undefined) {
      throw new AssertionError("Sampler class requires input datapipe implemented `__len__`");
    }
    this.datapipe = datapipe;
    const keywords = Object.keys(sampler_kwargs).length > 0 ? [sampler_kwargs] : [];
    this.sampler = new sampler(datapipe, ...sampler_args, ...keywords) as SamplerBase<T>;
  }
  override *[Symbol.iterator](): Iteration<T> {
    yield* this.sampler;
  }
  get length(): number {
    return this.sampler.length;
  }
}

/** How a batch is wrapped: a class such as {@linkcode DataChunk} or a function. */
type Wrapper = { fromArray(items: readonly Any[]): unknown } | ((items: Any[]) => unknown);
const wrap = (wrapper: Wrapper, items: Any[]): unknown =>
  "fromArray" in wrapper ? wrapper.fromArray(items) : wrapper(items);

const BATCHER = signature<{ batch_size: number; drop_last?: boolean; wrapper_class?: Wrapper }>("Batcher", {
  batch_size: required,
  drop_last: false,
  wrapper_class: DataChunk,
});
/** Lists of `batch_size` samples. */
export class Batcher<T = Any> extends IterDataPipe<DataChunk<T>> {
  datapipe: IterDataPipe<T>;
  batch_size: number;
  drop_last: boolean;
  wrapper_class: Wrapper;
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    super();
    const { batch_size, drop_last, wrapper_class } = BATCHER(args);
    if (!(batch_size > 0)) throw new AssertionError("Batch size is required to be larger than 0!");
    this.datapipe = datapipe;
    this.batch_size = batch_size;
    this.drop_last = drop_last;
    this.wrapper_class = wrapper_class;
  }
  override *[Symbol.iterator](): Iteration<DataChunk<T>> {
    let batch: T[] = [];
    for (const sample of this.datapipe) {
      batch.push(sample);
      if (batch.length < this.batch_size) continue;
      yield wrap(this.wrapper_class, batch) as DataChunk<T>;
      batch = [];
    }
    if (batch.length > 0 && !this.drop_last) yield wrap(this.wrapper_class, batch) as DataChunk<T>;
  }
  get length(): number {
    const n = lengthIfAny(this.datapipe) ?? noLength(this);
    return this.drop_last ? Math.floor(n / this.batch_size) : Math.ceil(n / this.batch_size);
  }
}
functional_datapipe("batch")(Batcher);

const UNBATCHER = signature<{ unbatch_level?: number }>("UnBatcher", { unbatch_level: 1 });
/** The samples of the lists that come, so many levels deep; -1: of all. */
export class UnBatcher<T = Any> extends IterDataPipe<T> {
  datapipe: IterDataPipe<Any>;
  unbatch_level: number;
  constructor(datapipe: IterDataPipe<Any>, ...args: unknown[]) {
    super();
    this.datapipe = datapipe;
    this.unbatch_level = UNBATCHER(args).unbatch_level;
  }
  override *[Symbol.iterator](): Iteration<T> {
    if (this.unbatch_level < -1) throw new ValueError("unbatch_level must be -1 or >= 0");
    const dive = function* (element: Any, level: number): Iteration<T> {
      if (level === 0 || (level === -1 && !Array.isArray(element))) yield element;
      else if (Array.isArray(element)) {
        for (const item of element) yield* dive(item, level === -1 ? -1 : level - 1);
      } else throw new IndexError(`unbatch_level ${unbatch_level} exceeds the depth of the DataPipe`);
    };
    const { unbatch_level } = this;
    for (const element of this.datapipe) yield* dive(element, unbatch_level);
  }
}
functional_datapipe("unbatch")(UnBatcher);

interface GrouperOptions {
  buffer_size?: number;
  group_size?: number | null;
  guaranteed_group_size?: number | null;
  drop_remaining?: boolean;
}
const GROUPER = signature<{ group_key_fn: (sample: Any) => unknown } & GrouperOptions>("Grouper", {
  group_key_fn: required,
  buffer_size: 10000,
  group_size: null,
  guaranteed_group_size: null,
  drop_remaining: false,
});
/** Lists of samples with the same key, each given when it has `group_size`, or when there are too many that wait. */
export class Grouper<T = Any> extends IterDataPipe<DataChunk<T>> {
  datapipe: IterDataPipe<T>;
  group_key_fn: (sample: T) => unknown;
  max_buffer_size: number;
  group_size: number | null;
  guaranteed_group_size: number | null;
  drop_remaining: boolean;
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    super();
    const { group_key_fn, buffer_size, group_size, guaranteed_group_size, drop_remaining } = GROUPER(args);
    this.datapipe = datapipe;
    this.group_key_fn = requireFunction(group_key_fn) as (sample: T) => unknown;
    if (group_size !== null && !(group_size > 0 && group_size <= buffer_size)) throw new AssertionError("");
    if (guaranteed_group_size !== null) {
      if (group_size === null || !(guaranteed_group_size > 0 && guaranteed_group_size <= group_size)) {
        throw new AssertionError("");
      }
    }
    this.max_buffer_size = buffer_size;
    this.group_size = group_size;
    this.guaranteed_group_size = guaranteed_group_size ?? group_size;
    this.drop_remaining = drop_remaining;
  }
  override *[Symbol.iterator](): Iteration<DataChunk<T>> {
    const groups = new Map<unknown, T[]>();
    let waiting = 0;
    for (const sample of this.datapipe) {
      const key = this.group_key_fn(sample);
      let group = groups.get(key);
      if (group === undefined) groups.set(key, group = []);
      group.push(sample);
      waiting++;
      if (group.length === this.group_size) {
        groups.delete(key);
        waiting -= group.length;
        yield DataChunk.fromArray(group);
      }
      if (waiting === this.max_buffer_size) {
        const [biggest, items] = [...groups].reduce((a, b) => (b[1].length > a[1].length ? b : a));
        const enough = this.guaranteed_group_size === null || items.length >= this.guaranteed_group_size;
        if (!enough && !this.drop_remaining) {
          throw new RuntimeError(`Failed to group items ${items.map(String).join(", ")}`);
        }
        groups.delete(biggest);
        waiting -= items.length;
        if (enough) yield DataChunk.fromArray(items);
      }
    }
    for (const group of groups.values()) yield DataChunk.fromArray(group);
  }
}
functional_datapipe("groupby")(Grouper);

/** Every n-th sample, where `apply_sharding` (each worker of a DataLoader may) has said which. */
export class ShardingFilter<T = Any> extends IterDataPipe<T> {
  source_datapipe: IterDataPipe<T>;
  num_of_instances = 1;
  instance_id = 0;
  constructor(source_datapipe: IterDataPipe<T>) {
    super();
    this.source_datapipe = source_datapipe;
  }
  is_shardable(): boolean {
    return true;
  }
  apply_sharding(num_of_instances: number, instance_id: number): void {
    this.num_of_instances = num_of_instances;
    this.instance_id = instance_id;
  }
  override *[Symbol.iterator](): Iteration<T> {
    let i = 0;
    for (const sample of this.source_datapipe) {
      if (i++ % this.num_of_instances === this.instance_id) yield sample;
    }
  }
  get length(): number {
    const n = lengthIfAny(this.source_datapipe) ?? noLength(this);
    return Math.floor(n / this.num_of_instances) + (this.instance_id < n % this.num_of_instances ? 1 : 0);
  }
}
functional_datapipe("sharding_filter")(ShardingFilter);

/** A pipe over several. */
class Several<T, U = T> extends IterDataPipe<U> {
  datapipes: IterDataPipe<T>[];
  constructor(datapipes: IterDataPipe<T>[]) {
    super();
    this.datapipes = datapipes;
  }
  protected lengths(): number[] {
    return this.datapipes.map((pipe) => lengthIfAny(pipe) ?? noLength(this));
  }
}

/** One pipe after the other. */
export class Concater<T = Any> extends Several<T> {
  constructor(...datapipes: IterDataPipe<T>[]) {
    if (datapipes.length === 0) throw new ValueError("Expected at least one DataPipe, but got nothing");
    if (!datapipes.every((pipe) => pipe instanceof IterDataPipe)) {
      throw new TypeError("Expected all inputs to be `IterDataPipe`");
    }
    super(datapipes);
  }
  override *[Symbol.iterator](): Iteration<T> {
    for (const pipe of this.datapipes) yield* pipe;
  }
  get length(): number {
    return this.lengths().reduce((a, b) => a + b, 0);
  }
}
functional_datapipe("concat")(Concater);

/** Takes turns of the pipes until one of them ends. */
function* turns<T>(pipes: readonly Iterable<T>[]): Iteration<T[]> {
  const iterators = pipes.map((pipe) => pipe[Symbol.iterator]());
  for (;;) {
    const row: T[] = [];
    for (const iterator of iterators) {
      const { done, value } = iterator.next();
      if (done) return;
      row.push(value);
    }
    yield row;
  }
}

/** A sample of each pipe in turn, until the shortest ends. */
export class Multiplexer<T = Any> extends Several<T> {
  constructor(...datapipes: IterDataPipe<T>[]) {
    super(datapipes);
  }
  override *[Symbol.iterator](): Iteration<T> {
    if (this.datapipes.length > 0) { for (const row of turns(this.datapipes)) yield* row; }
  }
  get length(): number {
    return Math.min(...this.lengths()) * this.datapipes.length;
  }
}
functional_datapipe("mux")(Multiplexer);

/** Lists with one sample of each pipe, until the shortest ends. */
export class Zipper<T = Any> extends Several<T, T[]> {
  constructor(...datapipes: IterDataPipe<T>[]) {
    if (!datapipes.every((pipe) => pipe instanceof IterDataPipe)) {
      throw new TypeError("All inputs are required to be `IterDataPipe` for `ZipIterDataPipe`.");
    }
    super(datapipes);
  }
  override *[Symbol.iterator](): Iteration<T[]> {
    if (this.datapipes.length > 0) yield* turns(this.datapipes);
  }
  get length(): number {
    return Math.min(...this.lengths());
  }
}
functional_datapipe("zip")(Zipper);
