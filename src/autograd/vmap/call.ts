/**
 * One call at one level, as the batching rules see it.
 *
 * @module
 */
import { runInplace, runRow } from "../../dispatch/dispatcher.ts";
import { namedResults } from "../../dispatch/named.ts";
import type { Row } from "../../dispatch/op.ts";
import { Tensor } from "../../tensor.ts";
import { BatchedTensor, type Level, moveDim } from "./batched.ts";

/** An operator's arguments at a level: which are batched there, and what they are below. */
export class Call {
  readonly row: Row;
  readonly args: readonly unknown[];
  readonly level: Level;
  /** Is it the in-place form? */
  readonly inplace: boolean;

  constructor(row: Row, args: readonly unknown[], level: Level, inplace: boolean) {
    this.row = row;
    this.args = args;
    this.level = level;
    this.inplace = inplace;
  }

  /** Number of samples. */
  get size(): number {
    return this.level.size;
  }
  /** Is this value batched at the level? */
  has(x: unknown): x is BatchedTensor {
    return x instanceof BatchedTensor && x.level === this.level.id;
  }
  /** The position of a parameter, -1 without. */
  at(name: string): number {
    return this.row.parsed.params.findIndex((p) => p.name === name);
  }
  /** An argument by its name. */
  // deno-lint-ignore no-explicit-any -- each rule knows its schema
  arg(name: string): any {
    return this.args[this.at(name)];
  }
  /** The tensor below with the samples in dimension 0; an unbatched tensor as it is. */
  front(t: Tensor): Tensor {
    return this.has(t) ? moveDim(t.value, t.bdim, 0) : t;
  }
  /** The same, with an unbatched tensor repeated for each sample. */
  all(t: Tensor): Tensor {
    return this.has(t) ? this.front(t) : t.unsqueeze(0).expand([this.size, ...t.sizes]);
  }
  /** `front`, with dimensions of size 1 put in after the samples until there are `rank` besides them. */
  aligned(t: Tensor, rank: number): Tensor {
    let x = this.front(t);
    if (this.has(t)) { for (let r = t.sizes.length; r < rank; r++) x = x.unsqueeze(1); }
    return x;
  }
  /** Runs the row below with these arguments. */
  below(args: readonly unknown[]): unknown {
    return this.inplace ? runInplace(this.row, args) : runRow(this.row, args);
  }
  /** The arguments with some replaced, by position. */
  with(changes: Readonly<Record<number, unknown>>): unknown[] {
    const args = this.args.slice();
    for (const i of Object.keys(changes)) args[Number(i)] = changes[Number(i)];
    return args;
  }
  /** Hides dimension `dim` of a result, or of each of several. */
  // deno-lint-ignore no-explicit-any -- a Tensor for a Tensor, a list for a list
  wrap(result: any, dim = 0): any {
    if (result instanceof Tensor) return new BatchedTensor(result, dim, this.level.id);
    const list = (result as Tensor[]).map((t) => new BatchedTensor(t, dim, this.level.id));
    return this.row.named ? namedResults(this.row, list) : list;
  }
}

/** How an operator runs on batched tensors; null: not this way, take the loop. */
export type Rule = (c: Call) => unknown;
