import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkAbi, emptyAbi, parseHeader, parsePointwise } from "../../scripts/c_headers.ts";
import { generate } from "../../scripts/gen_kernels.ts";
import * as kernels from "../../src/_gen/kernels.ts";

const HEADER = `
// A comment with { braces } and #define NOTHING 1
#ifndef X_H
#define X_H
#define X_MAX 3
#define X_PTR(type, slot) ((type *)(slot))
typedef enum { X_RED_SUM, X_RED_MEAN = 4, X_RED_PROD } tc_x_op;  // TypeScript: X_OP
extern int64_t x_info[4];
static inline int64_t x_size(int64_t dtype) { switch (dtype) { default: return 1; } }
typedef union { double f; int64_t i; } tc_number;
typedef struct {
  uint64_t scratch;
  int64_t a, b[X_MAX], c;
  double d[2][X_MAX];
  union { double f; int64_t i; } e[2];
  tc_number value;
  uint32_t words[4];
} tc_x_args;
TC_EXPORT(tc_x) int32_t tc_x(const tc_x_args *a);
TC_EXPORT(tc_x_scratch) int64_t tc_x_scratch(const tc_x_args *a);
#endif
`;

function parse(source: string) {
  const abi = emptyAbi();
  parseHeader("x.h", source, abi);
  checkAbi(abi);
  return abi;
}

describe("the reader of the kernel ABI", () => {
  test("reads what the headers contain", () => {
    const abi = parse(HEADER);
    expect(abi.constants).toEqual(new Map([["X_MAX", 3]]));
    expect(abi.enums).toEqual([{
      name: "tc_x_op",
      members: [["X_RED_SUM", 0], ["X_RED_MEAN", 4], ["X_RED_PROD", 5]],
    }]);
    expect(abi.kernels).toEqual([
      { name: "tc_x", args: "tc_x_args", result: "int32_t" },
      { name: "tc_x_scratch", args: "tc_x_args", result: "int64_t" },
    ]);
    expect(abi.structs[0]?.bytes).toBe(8 * 17);
    expect(abi.structs[0]?.fields.map(({ name, kind, shape, offset }) => [name, kind, shape, offset / 8]))
      .toEqual([
        ["scratch", "u64", [], 0],
        ["a", "i64", [], 1],
        ["b", "i64", [3], 2],
        ["c", "i64", [], 5],
        ["d", "f64", [2, 3], 6],
        ["e", "number", [2], 12],
        ["value", "number", [], 14],
        ["words", "u32", [4], 15],
      ]);
    const text = generate(abi, parsePointwise("x.def", "UNARY(neg, ALL, LIGHT, -x)\n"));
    expect(text).toContain("tc_x_args: { scratch: 0, a: 1, b: 2, c: 5, d: 6, e: 12, value: 14, words: 15 }");
    expect(text).toContain("export const X_OP = {\n  SUM: 0,\n  MEAN: 4,\n  PROD: 5,\n} as const;");
    expect(text).toContain('tc_x: { args: "tc_x_args", scratch: true }');
    expect(text).toContain('neg: { op: 0, arity: 1, class: "UNARY", types: "ALL" }');
  });

  test.each([
    ["typedef struct { int64_t a : 3; } t;", "expected ;, but got :"],
    ["typedef struct { int a; } t;", "int is not a type of a slot"],
    ["typedef struct { int64_t *a; } t;", "expected a name, but got *"],
    ["typedef struct { uint32_t a; int64_t b; } t;", "a does not end at a multiple of 8 bytes"],
    ["typedef struct { int64_t a[N]; } t;", "N is neither an integer nor a constant defined above"],
    ["typedef union { float f; } tc_number;", "expected double, but got float"],
    ["int64_t loose;", "cannot read a declaration that starts with int64_t"],
    ["#define X 0x10\n", "cannot read the directive #define X 0x10"],
    ["#define X (1 << 3)\n", "cannot read the directive #define X (1 << 3)"],
    ["TC_EXPORT(tc_a) void tc_a(const t *a);", "tc_a returns void"],
    ["TC_EXPORT(tc_a) int32_t tc_b(const t *a);", "expected tc_a, but got tc_b"],
    ["TC_EXPORT(tc_a) int32_t tc_a(const t *a);", "t is not declared above tc_a"],
    [
      "typedef struct { int64_t x; } t;\nTC_EXPORT(tc_a) int64_t tc_a(const t *a);",
      "a kernel returns int32_t",
    ],
    [HEADER.replace("uint64_t scratch;", "uint64_t other;"), '"scratch" must be that struct\'s first field'],
    [HEADER + "typedef enum { X_RED_SUM, X_B } other;", "X_RED_SUM is declared twice"],
    ["typedef struct { int64_t a;", "the file ends in the middle of a declaration"],
  ])("refuses %s", (source, message) => {
    expect(() => parse(source)).toThrow(message);
  });

  test.each([
    "QUATERNARY(a, ALL, LIGHT, x)",
    "UNARY(a, REAL, LIGHT, x)",
    "UNARY(a, ALL, CHEAP, x)",
    "UNARY(a, ALL, LIGHT, x",
    "  UNARY(a, ALL, LIGHT, x)",
    "UNARY(a, ALL, LIGHT, x)\nUNARY(a, ALL, LIGHT, x)",
  ])("refuses the operator line %s", (source) => {
    expect(() => parsePointwise("x.def", source)).toThrow(/^x\.def:\d: /);
  });
});

test("operators are numbered in the order of pointwise.def", () => {
  const names = parsePointwise(
    "pointwise.def",
    readFileSync(new URL("../../core/pointwise.def", import.meta.url), "utf8"),
  );
  expect(Object.keys(kernels.POINTWISE)).toEqual(names.map(({ name }) => name));
  expect(Object.values(kernels.POINTWISE).map(({ op }) => op)).toEqual(names.map((_, i) => i));
});
