/**
 * `torch.utils.data.datapipes.map`: pipes of samples that have numbers or keys.
 *
 * @module
 */
import { AssertionError, IndexError, KeyError, ValueError, warnOnce } from "../../../base/errors.ts";
import { deepcopy } from "../../copy.ts";
import { pyrepr } from "../../pyrepr.ts";
import { required, signature } from "../../signature.ts";
import { lengthOf, sampleOf } from "../dataset.ts";
import { drawSeed } from "../sampler.ts";
import { DataChunk, functional_datapipe, IterDataPipe, MapDataPipe } from "./datapipe.ts";
import { lengthIfAny, requireFunction } from "./lengths.ts";
import { PythonRandom } from "./python_random.ts";

// deno-lint-ignore no-explicit-any -- what flows through a pipe is the program's business
type Any = any;
type Key = Any;

/** A list, map or object as a pipe; with `deepcopy` over a copy of it. */
export class SequenceWrapper<T = Any> extends MapDataPipe<T> {
  sequence: Any;
  constructor(sequence: Any, options: boolean | { deepcopy?: boolean } = true) {
    super();
    this.sequence = sequence;
    if (typeof options === "boolean" ? !options : options.deepcopy === false) return;
    try {
      this.sequence = deepcopy(sequence);
    } catch {
      warnOnce(
        "UserWarning",
        "The input sequence can not be deepcopied, please be aware of in-place modification would affect source data",
      );
    }
  }
  override __getitem__(index: Key): T {
    const { sequence } = this;
    if (sequence instanceof Map) {
      if (!sequence.has(index)) throw new KeyError(pyrepr(index));
      return sequence.get(index) as T;
    }
    if (typeof index === "number") return sampleOf<T>(sequence, index) as T;
    if (!Object.hasOwn(sequence, index)) throw new KeyError(pyrepr(index));
    return sequence[index] as T;
  }
  override __len__(): number {
    return lengthIfAny(this.sequence) ?? Object.keys(this.sequence).length;
  }
}

/** `fn` of every sample. */
export class Mapper<T = Any, U = Any> extends MapDataPipe<U> {
  datapipe: MapDataPipe<T>;
  fn: (sample: T) => U;
  constructor(datapipe: MapDataPipe<T>, fn: (sample: T) => U = (x) => x as unknown as U) {
    super();
    this.datapipe = datapipe;
    this.fn = requireFunction(fn);
  }
  override __getitem__(index: Key): U {
    return this.fn(this.datapipe.__getitem__(index) as T);
  }
  override __len__(): number {
    return lengthOf(this.datapipe);
  }
}
functional_datapipe("map")(Mapper);

const SHUFFLER = signature<{ indices?: readonly Key[] | null }>("Shuffler", { indices: null });
/** The samples in random order: a pipe that gives them one after the other. */
export class Shuffler<T = Any> extends IterDataPipe<T> {
  datapipe: MapDataPipe<T>;
  indices: readonly Key[];
  _enabled = true;
  _seed: bigint | null = null;
  _shuffled_indices: Key[];
  constructor(datapipe: MapDataPipe<T>, ...args: unknown[]) {
    super();
    this.datapipe = datapipe;
    this.indices = SHUFFLER(args).indices ?? Array.from({ length: lengthOf(datapipe) }, (_, i) => i);
    this._shuffled_indices = [...this.indices];
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
    this._shuffled_indices = new PythonRandom().seed(this._seed ?? drawSeed(null)).sample(this.indices);
    this._seed = null;
  }
  override *[Symbol.iterator](): globalThis.Generator<T> {
    if (!this._enabled) { for (const index of this.indices) yield this.datapipe.__getitem__(index) as T; }
    else {
      while (this._shuffled_indices.length > 0) {
        yield this.datapipe.__getitem__(this._shuffled_indices.pop()!) as T;
      }
    }
  }
  get length(): number {
    return lengthOf(this.datapipe);
  }
}
MapDataPipe.register_datapipe_as_function("shuffle", Shuffler);

const BATCHER = signature<{ batch_size: number; drop_last?: boolean }>("Batcher", {
  batch_size: required,
  drop_last: false,
});
/** Lists of `batch_size` samples. */
export class Batcher<T = Any> extends MapDataPipe<DataChunk<T>> {
  datapipe: MapDataPipe<T>;
  batch_size: number;
  drop_last: boolean;
  constructor(datapipe: MapDataPipe<T>, ...args: unknown[]) {
    super();
    const { batch_size, drop_last } = BATCHER(args);
    if (!(batch_size > 0)) throw new AssertionError("Batch size is required to be larger than 0!");
    this.datapipe = datapipe;
    this.batch_size = batch_size;
    this.drop_last = drop_last;
  }
  override __getitem__(index: number): DataChunk<T> {
    const batch: T[] = [];
    try {
      for (let i = 0; i < this.batch_size; i++) {
        batch.push(this.datapipe.__getitem__(index * this.batch_size + i) as T);
      }
    } catch (error) {
      if (!(error instanceof IndexError)) throw error;
      if (this.drop_last || batch.length === 0) throw new IndexError(`Index ${index} is out of bound.`);
    }
    return DataChunk.fromArray(batch);
  }
  override __len__(): number {
    const n = lengthOf(this.datapipe);
    return this.drop_last ? Math.floor(n / this.batch_size) : Math.ceil(n / this.batch_size);
  }
}
functional_datapipe("batch")(Batcher);

function several<T>(datapipes: MapDataPipe<T>[]): MapDataPipe<T>[] {
  if (datapipes.length === 0) throw new ValueError("Expected at least one DataPipe, but got nothing");
  if (!datapipes.every((pipe) => pipe instanceof MapDataPipe)) {
    throw new TypeError("Expected all inputs to be `MapDataPipe`");
  }
  if (datapipes.some((pipe) => lengthIfAny(pipe) === undefined)) {
    throw new TypeError("Expected all inputs to be `Sized`");
  }
  return datapipes;
}

/** One pipe after the other. */
export class Concater<T = Any> extends MapDataPipe<T> {
  datapipes: MapDataPipe<T>[];
  constructor(...datapipes: MapDataPipe<T>[]) {
    super();
    this.datapipes = several(datapipes);
  }
  override __getitem__(index: number): T {
    let offset = 0;
    for (const pipe of this.datapipes) {
      const n = lengthOf(pipe);
      if (index - offset < n) return pipe.__getitem__(index - offset) as T;
      offset += n;
    }
    throw new IndexError(`Index ${index} is out of range.`);
  }
  override __len__(): number {
    return this.datapipes.reduce((sum, pipe) => sum + lengthOf(pipe), 0);
  }
}
functional_datapipe("concat")(Concater);

/** Lists with one sample of each pipe. */
export class Zipper<T = Any> extends MapDataPipe<T[]> {
  datapipes: MapDataPipe<T>[];
  constructor(...datapipes: MapDataPipe<T>[]) {
    super();
    this.datapipes = several(datapipes);
  }
  override __getitem__(index: number): T[] {
    return this.datapipes.map((pipe) => {
      try {
        return pipe.__getitem__(index) as T;
      } catch (error) {
        if (!(error instanceof IndexError)) throw error;
        throw new IndexError(`Index ${index} is out of range for one of the input MapDataPipes ${pipe}.`);
      }
    });
  }
  override __len__(): number {
    return Math.min(...this.datapipes.map(lengthOf));
  }
}
functional_datapipe("zip")(Zipper);
