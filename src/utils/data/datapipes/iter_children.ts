/**
 * Pipes that share one source: `fork` and `demux`.
 *
 * @module
 */
import { RuntimeError, ValueError, warnOnce } from "../../../base/errors.ts";
import { required, signature } from "../../signature.ts";
import { lengthOf } from "../dataset.ts";
import { IterDataPipe } from "./datapipe.ts";
import { requireFunction } from "./lengths.ts";

// deno-lint-ignore no-explicit-any -- what flows through a pipe is the program's business
type Any = any;
type Iteration<T> = globalThis.Generator<T>;

/** The source of several pipes: reads ahead as far as the fastest child needs, and keeps what the others have not had. */
abstract class Shared<T> extends IterDataPipe<T> {
  main_datapipe: IterDataPipe<T>;
  num_instances: number;
  buffer_size: number;
  protected waiting: T[][];
  _source: Iterator<T> | null = null;
  _exhausted = false;

  constructor(datapipe: IterDataPipe<T>, num_instances: number, buffer_size: number, name: string) {
    super();
    this.main_datapipe = datapipe;
    this.num_instances = num_instances;
    this.buffer_size = buffer_size;
    this.waiting = Array.from({ length: num_instances }, () => []);
    if (buffer_size < 0) {
      warnOnce(
        "UserWarning",
        `Unlimited buffer size is set for \`${name}\`, please be aware of OOM at random places`,
      );
    }
  }

  /** What a child gets, one after the other. */
  *child(instance: number): Iteration<T> {
    for (;;) {
      const queue = this.waiting[instance]!;
      if (queue.length > 0) {
        yield queue.shift()!;
        continue;
      }
      if (this._exhausted) return;
      this._source ??= this.main_datapipe[Symbol.iterator]();
      const { done, value } = this._source.next();
      if (done) this._exhausted = true;
      else this.deal(value, instance);
    }
  }

  /** Puts a new sample where it belongs; `instance` asked for it. */
  protected abstract deal(sample: T, instance: number): void;

  get done(): boolean {
    return this._exhausted && this.waiting.every((queue) => queue.length === 0);
  }

  /** For worker threads, where it begins anew. */
  __getstate__(): Record<string, unknown> {
    const { _source, ...state } = Object.fromEntries(Object.entries(this));
    return { ...state, _exhausted: false, waiting: this.waiting.map(() => []) };
  }
  __setstate__(state: Record<string, unknown>): void {
    Object.assign(this, state);
    this._source = null;
  }

  override reset(): void {
    this._source = null;
    this._exhausted = false;
    this.waiting = Array.from({ length: this.num_instances }, () => []);
  }
  get length(): number {
    return lengthOf(this.main_datapipe);
  }
}

export class _ForkerIterDataPipe<T> extends Shared<T> {
  protected override deal(sample: T, instance: number): void {
    this.waiting.forEach((queue) => queue.push(sample));
    if (
      this.buffer_size >= 0 &&
      Math.max(...this.waiting.map((q, i) => (i === instance ? 0 : q.length))) > this.buffer_size
    ) {
      throw new RuntimeError(
        `ForkerIterDataPipe buffer overflow,buffer size ${this.buffer_size} is insufficient.`,
      );
    }
  }
}

export class _DemultiplexerIterDataPipe<T> extends Shared<T> {
  readonly classifier_fn: (sample: T) => number | null;
  readonly drop_none: boolean;
  constructor(
    datapipe: IterDataPipe<T>,
    num_instances: number,
    classifier_fn: (sample: T) => number | null,
    drop_none: boolean,
    buffer_size: number,
  ) {
    super(datapipe, num_instances, buffer_size, "demux");
    this.classifier_fn = classifier_fn;
    this.drop_none = drop_none;
  }
  protected override deal(sample: T, instance: number): void {
    const which = this.classifier_fn(sample) ?? null;
    if (which === null && this.drop_none) return;
    if (which === null || which >= this.num_instances || which < 0) {
      throw new ValueError(
        `Output of the classification fn should be between 0 and ${this.num_instances - 1}. ` +
          `${which ?? "None"} is returned.`,
      );
    }
    this.waiting[which]!.push(sample);
    const waiting = this.waiting.reduce((sum, queue) => sum + queue.length, 0) - (which === instance ? 1 : 0);
    if (this.buffer_size >= 0 && waiting > this.buffer_size) {
      throw new RuntimeError(
        `DemultiplexerIterDataPipe buffer overflow, buffer size ${this.buffer_size} is insufficient.`,
      );
    }
  }
}

/** One of the pipes over a shared source. A second iteration of one of them begins anew for all. */
export class _ChildDataPipe<T> extends IterDataPipe<T> {
  main_datapipe: Shared<T>;
  instance_id: number;
  constructor(main_datapipe: Shared<T>, instance_id: number) {
    super();
    this.main_datapipe = main_datapipe;
    this.instance_id = instance_id;
  }
  override *[Symbol.iterator](): Iteration<T> {
    yield* this.main_datapipe.child(this.instance_id);
  }
  override _begin(): number {
    const main = this.main_datapipe;
    if (main._valid_iterator_id === null) main._valid_iterator_id = 0;
    else if (main._valid_iterator_id === this._valid_iterator_id) {
      main._valid_iterator_id++;
      if (!main.done) {
        warnOnce(
          "UserWarning",
          "Some child DataPipes are not exhausted when __iter__ is called. We are resetting the buffer and each child " +
            "DataPipe will read from the start again.",
        );
      }
      main.reset();
    }
    return this._valid_iterator_id = main._valid_iterator_id;
  }
  override _check(id: number): void {
    if (id === this._valid_iterator_id && id === this.main_datapipe._valid_iterator_id) return;
    throw new RuntimeError(
      "This iterator has been invalidated, because a new iterator has been created from one of the ChildDataPipes of " +
        `${this.main_datapipe}.\nFor feedback regarding this single iterator per IterDataPipe constraint, feel free ` +
        "to comment on this issue: https://github.com/pytorch/data/issues/45.",
    );
  }
  get length(): number {
    return this.main_datapipe.length;
  }
}

function instances(n: number): number {
  if (n < 1) throw new ValueError(`Expected \`num_instaces\` larger than 0, but ${n} is found`);
  return n;
}

const FORKER = signature<{ num_instances: number; buffer_size?: number }>("Forker", {
  num_instances: required,
  buffer_size: 1000,
});
/** Copies of one pipe: a list of pipes that read its samples once. */
export class Forker<T = Any> {
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    const { num_instances, buffer_size } = FORKER(args);
    if (instances(num_instances) === 1) return datapipe as unknown as Forker<T>;
    const shared = new _ForkerIterDataPipe(datapipe, num_instances, buffer_size, "fork");
    return Array.from(
      { length: num_instances },
      (_, i) => new _ChildDataPipe(shared, i),
    ) as unknown as Forker<T>;
  }
}
IterDataPipe.register_datapipe_as_function("fork", Forker);

const DEMULTIPLEXER = signature<{
  num_instances: number;
  classifier_fn: (sample: Any) => number | null;
  drop_none?: boolean;
  buffer_size?: number;
}>("Demultiplexer", {
  num_instances: required,
  classifier_fn: required,
  drop_none: false,
  buffer_size: 1000,
});
/** Deals the samples of a pipe out to a list of pipes: `classifier_fn` says to which. */
export class Demultiplexer<T = Any> {
  constructor(datapipe: IterDataPipe<T>, ...args: unknown[]) {
    const { num_instances, classifier_fn, drop_none, buffer_size } = DEMULTIPLEXER(args);
    const shared = new _DemultiplexerIterDataPipe<T>(
      datapipe,
      instances(num_instances),
      requireFunction(classifier_fn),
      drop_none,
      buffer_size,
    );
    return Array.from(
      { length: num_instances },
      (_, i) => new _ChildDataPipe(shared, i),
    ) as unknown as Demultiplexer<T>;
  }
}
IterDataPipe.register_datapipe_as_function("demux", Demultiplexer);
