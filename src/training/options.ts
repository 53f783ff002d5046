/**
 * Command line options, declared once: parsing, checking and the help text come from the same table.
 *
 * @module
 */

/** What an option takes. */
export type OptionSpec =
  | { kind: "flag"; help: string }
  | { kind: "text"; value: string; default: string | null; help: string }
  | { kind: "choice"; choices: readonly string[]; default: string; help: string }
  | {
    kind: "int" | "number";
    value: string;
    default: number | null;
    min?: number;
    max?: number;
    help: string;
  };

/** Options by name, without the dashes. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** The type of an option's value. */
export type OptionValue<S extends OptionSpec> = S extends { kind: "flag" } ? boolean
  : S extends { kind: "choice"; choices: readonly (infer C)[] } ? C
  : S extends { default: infer D } ? S extends { kind: "text" } ? string | (D extends null ? null : never)
    : number | (D extends null ? null : never)
  : never;

/** The values of all options. */
export type OptionValues<T extends OptionTable> = { -readonly [K in keyof T]: OptionValue<T[K]> };

/** A command line that cannot be understood. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The number of single-letter changes between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

function unknownOption(table: OptionTable, name: string): UsageError {
  const near =
    Object.keys(table).map((known) => [distance(name, known), known] as const).sort(([a], [b]) => a - b)[0];
  const hint = near !== undefined && near[0] <= 2 ? `; did you mean --${near[1]}?` : "";
  return new UsageError(`unknown option --${name}${hint}`);
}

function parseValue(name: string, spec: OptionSpec, text: string): string | number {
  if (spec.kind === "text" || spec.kind === "flag") return text;
  if (spec.kind === "choice") {
    if (spec.choices.includes(text)) return text;
    throw new UsageError(
      `--${name}: expected ${spec.choices.join(", ").replace(/, ([^,]*)$/, " or $1")}, but got '${text}'`,
    );
  }
  const value = /^\s*$/.test(text) ? NaN : Number(text), whole = spec.kind === "int";
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
    throw new UsageError(`--${name}: expected a ${whole ? "whole " : ""}number, but got '${text}'`);
  }
  if (value < (spec.min ?? -Infinity)) {
    throw new UsageError(`--${name}: expected at least ${spec.min}, but got ${text}`);
  }
  if (value > (spec.max ?? Infinity)) {
    throw new UsageError(`--${name}: expected at most ${spec.max}, but got ${text}`);
  }
  return value;
}

/** A parsed command line: every option's value, and which ones were given. */
export interface ParsedOptions<T extends OptionTable> {
  values: OptionValues<T>;
  given: Set<keyof T & string>;
}

/** Takes a command line apart: `--name value`, `--name=value`, `--flag`. */
export function parseOptions<T extends OptionTable>(table: T, args: readonly string[]): ParsedOptions<T> {
  const values: Record<string, unknown> = {}, given = new Set<keyof T & string>();
  for (const [name, spec] of Object.entries(table)) {
    values[name] = spec.kind === "flag" ? false : spec.default;
  }
  for (let i = 0; i < args.length; i++) {
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(args[i]!);
    if (match === null) throw new UsageError(`unexpected argument '${args[i]}'`);
    const [, name, attached] = match as unknown as [string, string, string | undefined], spec = table[name];
    if (spec === undefined || !Object.hasOwn(table, name)) throw unknownOption(table, name);
    if (given.has(name)) throw new UsageError(`--${name} is given twice`);
    given.add(name);
    if (spec.kind === "flag") {
      if (attached !== undefined) throw new UsageError(`--${name} takes no value`);
      values[name] = true;
      continue;
    }
    const text = attached ?? args[++i];
    if (text === undefined || (attached === undefined && text.startsWith("--"))) {
      throw new UsageError(`--${name} needs a value`);
    }
    values[name] = parseValue(name, spec, text);
  }
  return { values: values as OptionValues<T>, given };
}

/** The help text's lines about the options. */
export function describeOptions(table: OptionTable): string {
  const rows = Object.entries(table).map(([name, spec]): [string, string] => {
    if (spec.kind === "flag") return [`--${name}`, spec.help];
    const standard = spec.default === null ? "" : ` (default: ${spec.default})`;
    return [
      `--${name} ${spec.kind === "choice" ? spec.choices.join("|") : spec.value}`,
      spec.help + standard,
    ];
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}
