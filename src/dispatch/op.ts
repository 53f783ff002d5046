/**
 * Rows of the operator table. One row says all there is to know about one overload: schema, how it is computed, what
 * the backward pass keeps, its derivatives, its doc sentence. Functions, methods, in-place and `out=` forms,
 * signatures, docs and tests are made from rows: `dispatcher.ts`, `scripts/gen.ts`.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";
import { parseSchema, type Schema } from "./schema.ts";

/**
 * What a derivative formula sees: `grad` (of the first result), `grads`, the non-tensor arguments and the saved
 * tensors by their schema names, `result`/`results` if saved.
 */
export interface Ctx {
  readonly grad: Tensor;
  readonly grads: readonly (Tensor | null)[];
  /** Which of `grads` came along the graph; the others are zeros. */
  readonly given: readonly boolean[];
  /** The sizes of every tensor input in order, lists flattened. */
  readonly node: { readonly inSizes: readonly (readonly number[])[] };
  /** Does the graph want the gradient of this input? */
  needs(name: string): boolean;
  /** The sizes of a tensor input, saved or not. */
  sizesOf(name: string): readonly number[];
  // deno-lint-ignore no-explicit-any -- arguments and saved tensors by name; each formula knows its schema
  readonly [name: string]: any;
}

/**
 * A gradient formula; joint formulas (key `"a, b"`) return one entry per name. `notImplemented` may say what PyTorch's
 * sentence calls it: `notImplemented: igamma: input`.
 */
export type Derivative =
  | ((c: Ctx) => Tensor | null | (Tensor | null)[])
  | "nonDifferentiable"
  | "notImplemented"
  | `notImplemented: ${string}`;

// deno-lint-ignore no-explicit-any -- rows of every signature share one table; `bind` has checked the values
type Body = (...args: any[]) => any;

/** How a row is written in `src/ops`. */
export interface RowSpec {
  schema: string;
  /** Launches kernels; recorded through `derivative`. */
  impl?: Body;
  /** Makes an alias of its first argument; recorded through `derivative`. */
  view?: Body;
  /** Calls other operators, which are recorded themselves. */
  composite?: Body;
  /** `impl` makes no temporaries, so it needs no scope. */
  plain?: boolean;
  /** `impl` writes into the tensor that `target` names when the call is in place. */
  direct?: boolean;
  /** `impl` writes into its first argument, which the call returns; the name ends in `_`. */
  mutates?: boolean;
  /** Has an in-place form `name_`. */
  inplace?: boolean;
  /** `save: "input"` always; `save: { self: "other" }`: keep `self` only if `other` wants a gradient. */
  saves?: readonly string[] | Readonly<Record<string, string>>;
  /** More arguments to keep, by the call's arguments. */
  keeps?: (args: readonly unknown[]) => readonly string[];
  derivative?: Readonly<Record<string, Derivative>>;
  /** Formulas give PyTorch's gradient of complex inputs as it is: dispatcher.ts, note [Complex gradients]. */
  wirtinger?: boolean;
  /** Results without a gradient besides those of integer dtype. */
  nonDifferentiableResults?: readonly number[];
  /** PyTorch's node name, `ExpBackward0` if not given; it may depend on the arguments. */
  node?: string | ((args: readonly unknown[]) => string);
  /** A list parameter that may be spread: `x.view(2, 3)`. */
  varargs?: string;
  /** Other names of the same function. */
  aliases?: readonly string[];
  /** Only a function or only a method; `hidden` rows are for the library itself. */
  only?: "function" | "method" | "hidden";
  doc: string;
}

/** A row with what the dispatcher derives from it once. */
export interface Row extends RowSpec {
  readonly parsed: Schema;
  readonly name: string;
  /** Positions of arguments that are or may be tensors. */
  readonly tensorArgs: readonly number[];
  readonly nodeName: string | ((args: readonly unknown[]) => string);
  /** Do results have names? */
  readonly named: boolean;
  readonly saveList: readonly Save[];
  readonly formulas: readonly Formula[];
}

/** One thing to keep for the backward pass. */
export interface Save {
  readonly name: string;
  /** Argument position, or -1 - k for result k, or NaN for all results. */
  readonly from: number;
  /** Only if one of these argument positions wants a gradient; null: always. */
  readonly onlyFor: readonly number[] | null;
}

/** A derivative with the argument positions it serves. */
export interface Formula {
  readonly inputs: readonly number[];
  readonly joint: boolean;
  readonly body: Derivative;
}

/** Table entries: an operator's overloads in the order in which they are tried. */
export type Table = Readonly<Record<string, readonly Row[]>>;

function camel(name: string): string {
  const words = name.split("_").filter(Boolean).map((w) => w[0]!.toUpperCase() + w.slice(1)).join("");
  return words.replace(/\d[a-z]/g, (m) => m.toUpperCase()); // Log1P, Deg2Rad
}

/** Completes a row. */
export function op(spec: RowSpec): Row {
  let parsed: Schema | null = null;
  let compiled: Pick<Row, "tensorArgs" | "saveList" | "formulas"> | null = null;
  const name = /^[A-Za-z_0-9]+/.exec(spec.schema)![0];
  const compile = (row: Row): NonNullable<typeof compiled> => compiled ??= compileRow(row);
  // Schemas are parsed on first use: importing the library must stay quick.
  const row: Row = {
    ...spec,
    name,
    nodeName: spec.node ?? `${camel(name)}Backward0`,
    named: /-> \(Tensor \w+/.test(spec.schema),
    get parsed() {
      return parsed ??= parseSchema(spec.schema);
    },
    get tensorArgs() {
      return compile(this).tensorArgs;
    },
    get saveList() {
      return compile(this).saveList;
    },
    get formulas() {
      return compile(this).formulas;
    },
  };
  return row;
}

function compileRow(row: Row): Pick<Row, "tensorArgs" | "saveList" | "formulas"> {
  const params = row.parsed.params;
  const position = (name: string): number => {
    const i = params.findIndex((p) => p.name === name);
    if (i < 0) throw new Error(`${row.schema}: no parameter '${name}'`);
    return i;
  };
  const tensorArgs: number[] = [];
  params.forEach((p, i) => {
    if (p.type === "Tensor" || p.type === "Operand") tensorArgs.push(i);
  });
  const saveOne = (name: string, onlyFor: readonly number[] | null): Save => {
    if (name === "result") return { name, from: -1, onlyFor };
    if (name === "results") return { name, from: NaN, onlyFor };
    const m = /^result(\d+)$/.exec(name);
    if (m) return { name, from: -1 - Number(m[1]), onlyFor };
    return { name, from: position(name), onlyFor };
  };
  const saves = row.saves ?? [];
  const saveList = Array.isArray(saves)
    ? (saves as readonly string[]).map((n) => saveOne(n, null))
    : Object.entries(saves as Record<string, string>).map(([n, by]) =>
      saveOne(n, by === "" ? null : by.split(",").map((x) => position(x.trim())))
    );
  const formulas = Object.entries(row.derivative ?? {}).map(([key, body]) => {
    const names = key.split(",").map((x) => x.trim());
    return { inputs: names.map(position), joint: names.length > 1, body };
  });
  return { tensorArgs, saveList, formulas };
}
