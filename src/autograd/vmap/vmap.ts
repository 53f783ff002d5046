/**
 * `torch.vmap`: a function of one sample as a function of a batch of samples.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.vmap.html
 * @module
 */
import { RuntimeError, ValueError } from "../../base/errors.ts";
import { broadcastPrefix, Tree } from "../../base/pytree.ts";
import { fn } from "../../dispatch/functions.ts";
import { isOptions } from "../../dispatch/schema.ts";
import { Tensor } from "../../tensor.ts";
import {
  activeLevels,
  addLevel,
  BatchedTensor,
  inLevel,
  levelOf,
  type Randomness,
  removeLevel,
} from "./batched.ts";
import "./dispatch.ts";

/** Which dimension of each input is mapped: a number for all, null for none, or nested like the inputs. */
export type Dims =
  | number
  | null
  | readonly Dims[]
  | { readonly [key: string]: Dims }
  | ReadonlyMap<string, Dims>;

/** Keywords of {@linkcode vmap}. */
export interface VmapOptions {
  in_dims?: Dims;
  out_dims?: Dims;
  /** Whether samples draw different random numbers, the same, or may not draw: `"different"`, `"same"`, `"error"`. */
  randomness?: Randomness;
  /** Runs that many samples at a time, to use less memory; null: all at once. */
  chunk_size?: number | null;
}

/** A function to transform. */
// deno-lint-ignore no-explicit-any -- these take and return whatever users like
export type AnyFunction = (...args: any[]) => any;

interface Settings {
  inDims: Dims;
  outDims: Dims;
  randomness: Randomness;
  chunk: number | null;
}

function settingsOf(rest: readonly unknown[]): Settings {
  const o: Record<string, unknown> = {};
  const names = ["in_dims", "out_dims", "randomness"];
  rest.forEach((x, i) => {
    if (i === rest.length - 1 && isOptions(x)) Object.assign(o, x);
    else if (x !== undefined) o[names[i]!] = x;
  });
  const randomness = (o.randomness ?? "error") as Randomness;
  if (!["error", "different", "same"].includes(randomness)) {
    throw new RuntimeError(
      `Only allowed values for randomness are 'error', 'different', or 'same'. Got ${randomness}`,
    );
  }
  const chunk = (o.chunk_size ?? null) as number | null;
  if (chunk !== null && chunk <= 0) {
    throw new ValueError(`vmap: chunk_size should be None or greater than 0. (got ${chunk})`);
  }
  const given = (key: string): Dims => (key in o ? o[key] as Dims : 0);
  return { inDims: given("in_dims"), outDims: given("out_dims"), randomness, chunk };
}

function dimsText(d: unknown): string {
  if (d === null || d === undefined) return "None";
  if (Array.isArray(d)) return `(${d.map(dimsText).join(", ")}${d.length === 1 ? "," : ""})`;
  if (d instanceof Map) return `{${[...d].map(([k, v]) => `'${k}': ${dimsText(v)}`).join(", ")}}`;
  if (isOptions(d)) return `{${Object.entries(d).map(([k, v]) => `'${k}': ${dimsText(v)}`).join(", ")}}`;
  return String(d);
}

function kindOf(x: unknown): string {
  if (x === null || x === undefined) return "<class 'NoneType'>";
  if (typeof x === "number") return Number.isInteger(x) ? "<class 'int'>" : "<class 'float'>";
  if (typeof x === "string") return "<class 'str'>";
  if (typeof x === "boolean") return "<class 'bool'>";
  if (Array.isArray(x)) return "<class 'tuple'>";
  if (isOptions(x)) return "<class 'dict'>";
  return `<class '${(x as object).constructor?.name ?? "object"}'>`;
}

/** The mapped dimension of each leaf, and how many samples there are. */
function checkedInputs(
  name: string,
  inDims: Dims,
  args: readonly unknown[],
): { tree: Tree; dims: (number | null)[]; size: number } {
  const call = `vmap(${name}, in_dims=${dimsText(inDims)}, ...)(<inputs>)`;
  if (typeof inDims !== "number" && !Array.isArray(inDims)) {
    throw new ValueError(
      `${call}: expected \`in_dims\` to be int or a (potentially nested) tuple matching the structure of inputs, got: ${
        kindOf(inDims)
      }.`,
    );
  }
  if (args.length === 0) {
    throw new ValueError(
      `vmap(${name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a function ` +
        "with no inputs. The latter is unsupported.",
    );
  }
  const tree = new Tree(args);
  const flat = broadcastPrefix(inDims, args);
  if (flat === null) {
    throw new ValueError(
      `${call}: in_dims is not compatible with the structure of inputs. in_dims has structure ${new Tree(
        inDims,
      )} but inputs has structure ${tree}.`,
    );
  }
  const dims = flat.map((d, i) => {
    const x = tree.leaves[i];
    if (d !== null && d !== undefined && typeof d !== "number") {
      throw new ValueError(
        `${call}: Got in_dim=${
          dimsText(d)
        } for an input but in_dim must be either an integer dimension or None.`,
      );
    }
    if (d === null || d === undefined) return null;
    if (!(x instanceof Tensor)) {
      throw new ValueError(
        `${call}: Got in_dim=${d} for an input but the input is of type ${
          kindOf(x)
        }. We cannot vmap over non-Tensor arguments, please use None as the respective in_dim`,
      );
    }
    const rank = x.sizes.length;
    if (d < -rank || d >= rank) {
      throw new ValueError(
        `${call}: Got in_dim=${d} for some input, but that input is a Tensor of dimensionality ${rank} so expected in_dim ` +
          `to satisfy -${rank} <= in_dim < ${rank}.`,
      );
    }
    return d < 0 ? d + rank : d;
  });
  const sizes = dims.flatMap((d, i) => (d === null ? [] : [(tree.leaves[i] as Tensor).sizes[d]!]));
  if (sizes.length === 0) throw new ValueError("vmap: Expected at least one Tensor to vmap over");
  if (sizes.some((s) => s !== sizes[0])) {
    throw new ValueError(
      `vmap: Expected all tensors to have the same size in the mapped dimension, got sizes [${
        sizes.join(", ")
      }] for the mapped dimension`,
    );
  }
  return { tree, dims, size: sizes[0]! };
}

/** The dimension for each result. */
function checkedOutDims(name: string, outDims: Dims, out: unknown, tree: Tree): (number | null)[] {
  tree.leaves.forEach((t) => {
    if (t instanceof Tensor) return;
    throw new ValueError(
      `vmap(${name}, ...): \`${name}\` must only return Tensors, got type ${
        kindOf(t)
      }. Did you mean to set out_dims= to None for output?`,
    );
  });
  let flat: unknown[] | null;
  // One result and a tuple of one dimension go together.
  if (out instanceof Tensor && Array.isArray(outDims) && outDims.length === 1) flat = [outDims[0]];
  else flat = broadcastPrefix(outDims, out);
  if (flat === null) {
    throw new ValueError(
      `vmap(${name}, ..., out_dims=${
        dimsText(outDims)
      })(<inputs>): out_dims is not compatible with the structure of ` +
        `outputs. out_dims has structure ${new Tree(outDims)} but outputs has structure ${tree}.`,
    );
  }
  return flat as (number | null)[];
}

function shown(name: string, t: Tensor, level: number, size: number, dim: number | null): Tensor {
  if (dim === null || dim === undefined) {
    if (levelOf(t) >= level && hides(t, level)) {
      throw new ValueError(
        `vmap(${name}, ...): \`${name}\` can not return a BatchedTensor when out_dim is None`,
      );
    }
    return t;
  }
  const rank = t.sizes.length + 1;
  if (dim < -rank || dim >= rank) {
    throw new ValueError(
      `Dimension out of range (expected to be in range of [${-rank}, ${rank - 1}], but got ${dim})`,
    );
  }
  return removeLevel(t, level, dim < 0 ? dim + rank : dim, size);
}

function hides(t: Tensor, level: number): boolean {
  return t instanceof BatchedTensor && (t.level === level || hides(t.value, level));
}

function mapped(func: AnyFunction, name: string, s: Settings, args: readonly unknown[]): unknown {
  const { tree, dims, size } = checkedInputs(name, s.inDims, args);
  if (s.chunk !== null && size > s.chunk) return chunked(func, name, s, tree, dims, size);
  return runAll(func, name, s, tree, dims, size);
}

function runAll(
  func: AnyFunction,
  name: string,
  s: Settings,
  tree: Tree,
  dims: readonly (number | null)[],
  size: number,
): unknown {
  return inLevel(size, s.randomness, (level) => {
    const leaves = tree.leaves.map((x, i) =>
      dims[i] === null ? x : addLevel(x as Tensor, dims[i]!, level.id)
    );
    const out = func(...tree.build(leaves) as unknown[]);
    const result = new Tree(out);
    const outDims = checkedOutDims(name, s.outDims, out, result);
    return result.build(result.leaves.map((t, i) => shown(name, t as Tensor, level.id, size, outDims[i]!)));
  });
}

/** In parts of `chunk` samples, whose results are joined. */
function chunked(
  func: AnyFunction,
  name: string,
  s: Settings,
  tree: Tree,
  dims: readonly (number | null)[],
  size: number,
): unknown {
  const parts: Tree[] = [];
  let outDims: (number | null)[] = [];
  for (let start = 0; start < size; start += s.chunk!) {
    const length = Math.min(s.chunk!, size - start);
    const leaves = tree.leaves.map((x, i) =>
      dims[i] === null ? x : (x as Tensor).narrow(dims[i]!, start, length)
    );
    const part = new Tree(tree.build(leaves));
    const out = runAll(func, name, s, part, dims, length);
    parts.push(new Tree(out));
    if (start === 0) {
      outDims = broadcastPrefix(
        out instanceof Tensor && Array.isArray(s.outDims) ? s.outDims[0] : s.outDims,
        out,
      ) as (number | null)[];
    }
  }
  const first = parts[0]!;
  return first.build(first.leaves.map((t, i) => {
    const dim = outDims[i];
    if (dim === null || dim === undefined) return t;
    return fn.cat!(parts.map((p) => p.leaves[i]), dim);
  }));
}

/**
 * `func` over a new dimension of its inputs: it is written for one sample and runs on all of them at once, its
 * operators working on whole batches.
 *
 * ```ts
 * const dot = torch.vmap((a, b) => a.dot(b)); // [N, D], [N, D] -> [N]
 * const perSample = torch.vmap(torch.func.grad(loss), { in_dims: [null, 0, 0] });
 * ```
 *
 * `in_dims` says which dimension of each input is mapped (default 0; null: the input is the same for every sample),
 * `out_dims` where it stands in the results. Operators without a batching rule run sample by sample.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.vmap.html
 */
export function vmap<F extends AnyFunction>(
  func: F,
  in_dims?: Dims | VmapOptions,
  out_dims?: Dims | VmapOptions,
  randomness?: Randomness | VmapOptions,
  options?: VmapOptions,
): (...args: Parameters<F>) => ReturnType<F> {
  const rest = [in_dims, out_dims, randomness, options];
  while (rest.length > 0 && rest[rest.length - 1] === undefined) rest.pop();
  const s = settingsOf(rest);
  const name = func.name || "<lambda>";
  return (...args: unknown[]) => mapped(func, name, s, args) as ReturnType<F>;
}

/** How many vmaps are running. */
export function vmapDepth(): number {
  return activeLevels().length;
}
