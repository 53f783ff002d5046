// Reads the kernel ABI (core/include/*.h) and the elementwise operators (core/pointwise.def). It understands just
// the C that stands there and refuses anything else, so that the generated numbers can be trusted.

/** What a slot holds. `u64` is an address or 64 unsigned bits; `number` is a double or an int64_t in the same bytes. */
export type Kind = "i64" | "u64" | "f64" | "number" | "u32";

export interface Field {
  name: string;
  kind: Kind;
  /** Array sizes, outermost first; empty for a plain field. */
  shape: number[];
  /** Offset in bytes. */
  offset: number;
}

export interface Struct {
  name: string;
  bytes: number;
  fields: Field[];
}

export interface Kernel {
  name: string;
  /** The struct that its argument points to. */
  args: string;
  result: "int32_t" | "int64_t";
}

export interface Enum {
  name: string;
  members: [name: string, value: number][];
}

export interface Abi {
  constants: Map<string, number>;
  enums: Enum[];
  structs: Struct[];
  kernels: Kernel[];
}

export function emptyAbi(): Abi {
  return { constants: new Map(), enums: [], structs: [], kernels: [] };
}

const KINDS: Record<string, Kind> = {
  int64_t: "i64",
  uint64_t: "u64",
  double: "f64",
  tc_number: "number",
  uint32_t: "u32",
};
const NUMBER_UNION = "{ double f ; int64_t i ; }";

interface Token {
  text: string;
  line: number;
}

function stripComments(source: string): string {
  const blank = (comment: string) => comment.replace(/[^\n]/g, " ");
  return source.replace(/\/\*[^]*?\*\//g, blank).replace(/\/\/[^\n]*/g, blank);
}

class Parser {
  readonly #file: string;
  readonly #abi: Abi;
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(file: string, source: string, abi: Abi) {
    this.#file = file;
    this.#abi = abi;
    stripComments(source).split("\n").forEach((text, i) => {
      if (/^\s*#/.test(text)) this.#directive(text.trim(), i + 1);
      else {
        for (const match of text.matchAll(/[A-Za-z_]\w*|-?\d\w*|"[^"]*"|\S/g)) {
          this.#tokens.push({ text: match[0], line: i + 1 });
        }
      }
    });
  }

  #fail(message: string, line = this.#tokens[this.#at]?.line ?? 0): never {
    throw new Error(`${this.#file}:${line}: ${message}`);
  }

  #directive(text: string, line: number): void {
    if (/^#\s*(include|ifndef|if|elif|else|endif|ifdef|undef)\b/.test(text)) return;
    if (/^#\s*define\s+\w+(\(.*|\s*)$/.test(text)) return; // an include guard or a macro with arguments
    const constant = /^#\s*define\s+(\w+)\s+(\d+)$/.exec(text);
    if (constant === null) this.#fail(`cannot read the directive ${text}`, line);
    this.#abi.constants.set(constant[1] as string, Number(constant[2]));
  }

  #peek(): string {
    return this.#tokens[this.#at]?.text ?? "";
  }

  #next(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) this.#fail("the file ends in the middle of a declaration");
    return token.text;
  }

  #expect(...texts: string[]): void {
    for (const text of texts) {
      if (this.#peek() !== text) this.#fail(`expected ${text}, but got ${this.#peek()}`);
      this.#at++;
    }
  }

  #accept(text: string): boolean {
    if (this.#peek() !== text) return false;
    this.#at++;
    return true;
  }

  #name(): string {
    if (!/^[A-Za-z_]\w*$/.test(this.#peek())) this.#fail(`expected a name, but got ${this.#peek()}`);
    return this.#next();
  }

  #integer(): number {
    const text = this.#next();
    const value = /^-?\d+$/.test(text) ? Number(text) : this.#abi.constants.get(text);
    if (value === undefined) this.#fail(`${text} is neither an integer nor a constant defined above`);
    return value;
  }

  parse(): void {
    while (this.#at < this.#tokens.length) {
      const word = this.#next();
      if (word === "typedef") this.#typedef();
      else if (word === "TC_EXPORT") this.#kernel();
      else if (word === "extern") { while (this.#next() !== ";"); }
      else if (word === "static") this.#skipFunction();
      else this.#fail(`cannot read a declaration that starts with ${word}`);
    }
  }

  #skipFunction(): void {
    this.#expect("inline");
    while (this.#next() !== "{");
    for (let depth = 1; depth > 0;) {
      const text = this.#next();
      if (text === "{") depth++;
      else if (text === "}") depth--;
    }
  }

  #typedef(): void {
    const what = this.#next();
    if (what === "enum") this.#enum();
    else if (what === "struct") this.#struct();
    else if (what === "union") {
      this.#numberUnion();
      this.#expect("tc_number", ";");
    } else this.#fail(`cannot read a typedef of ${what}`);
  }

  #numberUnion(): void {
    this.#expect(...NUMBER_UNION.split(" "));
  }

  #enum(): void {
    const members: Enum["members"] = [];
    this.#expect("{");
    for (let value = 0; !this.#accept("}"); value++) {
      const name = this.#name();
      if (this.#accept("=")) value = this.#integer();
      members.push([name, value]);
      if (this.#peek() !== "}") this.#expect(",");
    }
    this.#abi.enums.push({ name: this.#name(), members });
    this.#expect(";");
  }

  #struct(): void {
    const fields: Field[] = [];
    let offset = 0;
    this.#expect("{");
    while (!this.#accept("}")) {
      const kind = this.#type();
      do {
        const name = this.#name();
        const shape: number[] = [];
        while (this.#accept("[")) {
          shape.push(this.#integer());
          this.#expect("]");
        }
        fields.push({ name, kind, shape, offset });
        offset += shape.reduce((a, b) => a * b, kind === "u32" ? 4 : 8);
        // So that every ABI lays the struct out like this: slots of 8 bytes.
        if (offset % 8 !== 0) this.#fail(`${name} does not end at a multiple of 8 bytes`);
      } while (this.#accept(","));
      this.#expect(";");
    }
    const name = this.#name();
    this.#expect(";");
    this.#abi.structs.push({ name, bytes: offset, fields });
  }

  #type(): Kind {
    const word = this.#next();
    if (word === "union") {
      this.#numberUnion();
      return "number";
    }
    return KINDS[word] ?? this.#fail(`${word} is not a type of a slot`);
  }

  #kernel(): void {
    this.#expect("(");
    const name = this.#name();
    this.#expect(")");
    const result = this.#next();
    if (result !== "int32_t" && result !== "int64_t") this.#fail(`${name} returns ${result}`);
    this.#expect(name, "(", "const");
    const args = this.#name();
    this.#expect("*", "a", ")", ";");
    if (!this.#abi.structs.some((struct) => struct.name === args)) {
      this.#fail(`${args} is not declared above ${name}`);
    }
    this.#abi.kernels.push({ name, args, result });
  }
}

/** Adds a header's declarations to `abi`. Constants must be known: read tc.h first. */
export function parseHeader(file: string, source: string, abi: Abi): void {
  new Parser(file, source, abi).parse();
}

/** Checks what holds over all headers together. */
export function checkAbi(abi: Abi): void {
  const seen = new Set<string>();
  const all = [...abi.enums, ...abi.structs, ...abi.kernels, ...abi.enums.flatMap(({ members }) => members)];
  for (const entry of all) {
    const name = Array.isArray(entry) ? entry[0] : entry.name;
    if (seen.has(name)) throw new Error(`${name} is declared twice`);
    seen.add(name);
  }
  const byName = new Map(abi.kernels.map((kernel) => [kernel.name, kernel]));
  for (const { name, result, args } of abi.kernels) {
    const owner = name.endsWith("_scratch") ? byName.get(name.slice(0, -"_scratch".length)) : undefined;
    if ((owner === undefined) !== (result === "int32_t")) {
      throw new Error(`${name}: a kernel returns int32_t, and its _scratch function int64_t`);
    }
    if (owner === undefined) continue;
    const first = abi.structs.find((struct) => struct.name === args)?.fields[0]?.name;
    if (owner.args !== args || first !== "scratch") {
      throw new Error(`${name}: it must take ${owner.args}, and "scratch" must be that struct's first field`);
    }
  }
}

const CLASSES = ["UNARY", "BINARY", "TERNARY", "TEST", "COMPARE", "DIVIDE"] as const;
const TYPES = ["FLOAT", "INT", "ALL"] as const;
const COSTS = ["LIGHT", "MATH", "HEAVY"] as const;

export interface PointwiseOp {
  name: string;
  class: (typeof CLASSES)[number];
  types: (typeof TYPES)[number];
  cost: (typeof COSTS)[number];
}

/** The operators of pointwise.def in their order, which is their numbering. */
export function parsePointwise(file: string, source: string): PointwiseOp[] {
  const ops: PointwiseOp[] = [];
  stripComments(source).split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    const match = /^([A-Z]+)\((\w+), ([A-Z]+), ([A-Z]+), .*\)\s*$/.exec(line);
    const pick = <T extends string>(allowed: readonly T[], text: string | undefined): T => {
      const found = allowed.find((name) => name === text);
      if (found === undefined) throw new Error(`${file}:${i + 1}: cannot read ${line.trim()}`);
      return found;
    };
    const op: PointwiseOp = {
      name: match?.[2] ?? "",
      class: pick(CLASSES, match?.[1]),
      types: pick(TYPES, match?.[3]),
      cost: pick(COSTS, match?.[4]),
    };
    if (ops.some(({ name }) => name === op.name)) {
      throw new Error(`${file}:${i + 1}: ${op.name} stands there twice`);
    }
    ops.push(op);
  });
  return ops;
}

/** The names of pointwise_complex.def's operators. */
export function parseComplex(source: string): string[] {
  return [...stripComments(source).matchAll(/^(?:VALUE|TEST)[123]\((\w+),/gm)].map((m) => m[1]!);
}
