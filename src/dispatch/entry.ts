/**
 * What users call: functions, methods, in-place methods, made from rows.
 *
 * @module
 */
import { mode } from "../autograd/grad_mode.ts";
import { RuntimeError } from "../base/errors.ts";
import { isLazy, Tensor } from "../tensor.ts";
import { interpose } from "./interpose.ts";
import { markInference, recordResult, runInplace, runRow, writeOut } from "./dispatcher.ts";
import type { Row } from "./op.ts";
import { bind, givenText, isOptions, signatureText } from "./schema.ts";

/** A function of the public API. */
// deno-lint-ignore no-explicit-any -- the real signatures are generated: src/_gen
export type AnyFunction = (...args: any[]) => any;

/** Binds `args` to the first row they fit and runs it. */
function call(name: string, rows: readonly Row[], args: readonly unknown[]): unknown {
  let options: Record<string, unknown> | null = null;
  let positional = args;
  let out: unknown = undefined;
  if (args.length > 0) {
    const last = args[args.length - 1];
    if (isOptions(last) && !takesDict(rows)) {
      options = last;
      positional = args.slice(0, -1);
      if ("out" in last && !rows.some((r) => r.parsed.params.some((p) => p.name === "out"))) {
        const { out: target, ...rest } = last;
        out = target ?? undefined;
        options = rest;
      }
    }
  }
  let reason = "";
  for (const row of rows) {
    const bound = bind(row.parsed, positional, options, row.varargs ?? null);
    if (!Array.isArray(bound)) {
      reason ||= bound.mismatch;
      continue;
    }
    const result = runRow(row, bound);
    return out === undefined ? result : writeOut(name, result, out);
  }
  throw mismatch(name, rows, positional, options, reason);
}

function takesDict(rows: readonly Row[]): boolean {
  return rows.some((r) => r.parsed.params.some((p) => p.type === "Dict"));
}

function mismatch(
  name: string,
  rows: readonly Row[],
  positional: readonly unknown[],
  options: Record<string, unknown> | null,
  reason: string,
): TypeError {
  if (rows.length === 1) return new TypeError(reason);
  const expected = rows.map((r) => ` * ${signatureText(r.parsed)}`).join("\n");
  return new TypeError(
    `${name}() received an invalid combination of arguments - got ${givenText(positional, options)}, ` +
      `but expected one of:\n${expected}\n`,
  );
}

/** The function of an operator's rows. */
export function makeFunction(name: string, rows: readonly Row[]): AnyFunction {
  const fast = rows[0]!;
  if (fast.plain && fast.impl !== undefined) {
    if (/^\w+\(Tensor self\)/.test(fast.schema)) return unaryFunction(name, rows, fast);
    if (/^\w+(\.\w+)?\((Tensor|Operand) self, (Tensor|Operand) \w+(, \*, [^,]+=[^,]+)?\)/.test(fast.schema)) {
      return binaryFunction(name, rows, fast);
    }
  }
  return (...args: unknown[]) => call(name, rows, args);
}

/** Without options and with tensors, arithmetic goes straight to its body: no arrays, no binding. */
function unaryFunction(name: string, rows: readonly Row[], row: Row): AnyFunction {
  const body = row.impl!;
  const differentiable = row.derivative !== undefined;
  return function (self: unknown, ...rest: unknown[]): unknown {
    if (rest.length > 0 || !(self instanceof Tensor) || isLazy(self)) {
      return call(name, rows, [self, ...rest]);
    }
    if (interpose.active) return runRow(row, defaults(row, [self]));
    const result = body(self);
    if (mode.grad) {
      if (differentiable && self.requires_grad) recordResult(row, [self], result);
    } else if (mode.inference) markInference(result);
    return result;
  };
}

function binaryFunction(name: string, rows: readonly Row[], row: Row): AnyFunction {
  const body = row.impl!;
  const differentiable = row.derivative !== undefined;
  const extra = defaultsAfter(row, 2);
  return function (self: unknown, other: unknown, options?: unknown, ...rest: unknown[]): unknown {
    if (
      options !== undefined || !(self instanceof Tensor) || !(other instanceof Tensor) || isLazy(self) ||
      isLazy(other)
    ) {
      const args = [self, other, options, ...rest];
      while (args.length > 0 && args[args.length - 1] === undefined) args.pop();
      return call(name, rows, args);
    }
    if (interpose.active) return runRow(row, defaults(row, [self, other]));
    const result = body(self, other, extra);
    if (mode.grad) {
      if (differentiable && (self.requires_grad || other.requires_grad)) {
        recordResult(row, extra === undefined ? [self, other] : [self, other, extra], result);
      }
    } else if (mode.inference) markInference(result);
    return result;
  };
}

/** Arguments in schema order, the rest as their defaults. */
function defaults(row: Row, args: unknown[]): unknown[] {
  for (let i = args.length; i < row.parsed.params.length; i++) args.push(row.parsed.params[i]!.default);
  return args;
}

/** The default of the one keyword after the operands, e.g. alpha. */
function defaultsAfter(row: Row, n: number): unknown {
  const m = /, \*, [^,]+=([^,)]+)\)/.exec(row.schema);
  return m === null ? undefined : row.parsed.params[n]!.default;
}

/** The method of an operator's rows: `this` is the first argument. */
export function makeMethod(name: string, rows: readonly Row[]): AnyFunction {
  const f = makeFunction(name, rows);
  if (f.length >= 1) {
    return function (this: Tensor, a?: unknown, b?: unknown, c?: unknown): unknown {
      return c !== undefined
        ? f(this, a, b, c)
        : b !== undefined
        ? f(this, a, b)
        : a !== undefined
        ? f(this, a)
        : f(this);
    };
  }
  return function (this: Tensor, ...args: unknown[]): unknown {
    return f(this, ...args);
  };
}

/** The in-place method `name_`. */
export function makeInplace(name: string, rows: readonly Row[]): AnyFunction {
  return function (this: Tensor, ...args: unknown[]): unknown {
    let options: Record<string, unknown> | null = null;
    if (args.length > 0 && isOptions(args[args.length - 1])) options = args.pop() as Record<string, unknown>;
    const positional = [this, ...args];
    let reason = "";
    for (const row of rows) {
      const bound = bind(row.parsed, positional, options, row.varargs ?? null);
      if (!Array.isArray(bound)) {
        reason ||= bound.mismatch;
        continue;
      }
      if (!(bound[0] instanceof Tensor)) throw new RuntimeError(`${name}(): expected a tensor to write into`);
      return runInplace(row, bound);
    }
    throw mismatch(name, rows, positional, options, reason);
  };
}

/** Makes every function and method of a table; methods go onto Tensor's prototype. */
export function install(
  table: Readonly<Record<string, readonly Row[]>>,
  functions: Record<string, AnyFunction>,
): void {
  const proto = Tensor.prototype as unknown as Record<string, unknown>;
  for (const name of Object.keys(table)) {
    const rows = table[name]!;
    const forFunction = rows.filter((r) => r.only !== "method");
    const forMethod = rows.filter((r) => r.only === undefined || r.only === "method").filter((r) =>
      /\((Tensor|Operand) self/.test(r.schema)
    );
    const inplace = rows.filter((r) => r.inplace);
    const f = forFunction.length > 0 ? makeFunction(name, forFunction) : null;
    if (f !== null) Object.defineProperty(f, "name", { value: name, configurable: true });
    for (const n of [name, ...rows.flatMap((r) => r.aliases ?? [])]) {
      if (f !== null) functions[n] = f;
      if (inNamespace(n)) continue;
      if (forMethod.length > 0 && !(n in proto)) define(proto, n, makeMethod(n, forMethod));
      if (inplace.length > 0) {
        const method = makeInplace(`${n}_`, inplace);
        define(proto, `${n}_`, method);
        functions[`${n}_`] = (self: Tensor, ...args: unknown[]) => method.call(self, ...args);
      }
    }
  }
}

/** Names of torch.linalg, torch.special, torch.fft and torch.masked are functions only. */
function inNamespace(name: string): boolean {
  return /^(linalg|special|fft|masked_)_/.test(name);
}

function define(proto: Record<string, unknown>, name: string, value: AnyFunction): void {
  Object.defineProperty(proto, name, { value, writable: true, configurable: true, enumerable: false });
}
