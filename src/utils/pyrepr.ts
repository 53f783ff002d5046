/**
 * Values as Python prints them, for the texts of modules, optimizers and errors.
 *
 * @module
 */
import { PyFloat } from "../base/scalar.ts";

/** A number as Python's float: `1` is `1.0`, `0.00001` is `1e-05`. */
export function floatRepr(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (x === 0) return Object.is(x, -0) ? "-0.0" : "0.0";
  const [digits, power] = x.toExponential().split("e") as [string, string]; // as few digits as identify x, as in Python
  const e = Number(power);
  if (e < -4 || e >= 16) return `${digits}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`;
  return Number.isInteger(x) ? `${x}.0` : String(x);
}

/** Python's `repr` of a value: None, True, numbers, 'text', tuples for arrays. */
export function pyrepr(x: unknown): string {
  if (x === null || x === undefined) return "None";
  if (typeof x === "boolean") return x ? "True" : "False";
  if (typeof x === "number") return Number.isInteger(x) && Math.abs(x) < 1e21 ? String(x) : floatRepr(x);
  if (x instanceof PyFloat) return floatRepr(x.value);
  if (typeof x === "string") return stringRepr(x);
  if (Array.isArray(x)) return tupleRepr(x);
  return String(x);
}

/** `'text'`, in the quotes Python would choose. */
export function stringRepr(s: string): string {
  const quote = s.includes("'") && !s.includes('"') ? '"' : "'";
  const body = s.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll(
    "\r",
    "\\r",
  );
  return quote + (quote === "'" ? body.replaceAll("'", "\\'") : body) + quote;
}

/** `(1, 2)`, and `(1,)` for one element. */
export function tupleRepr(items: readonly unknown[]): string {
  return items.length === 1 ? `(${pyrepr(items[0])},)` : `(${items.map(pyrepr).join(", ")})`;
}

/** `['a', 'b']`. */
export function listRepr(items: readonly unknown[]): string {
  return `[${items.map(pyrepr).join(", ")}]`;
}

/** Python's `str` of a value: as `repr`, but text without quotes. */
export function pystr(x: unknown): string {
  return typeof x === "string" ? x : pyrepr(x);
}
