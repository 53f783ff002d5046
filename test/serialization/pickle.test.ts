import { describe, expect, it } from "vitest";
import { Device } from "../../src/base/device.ts";
import { float32, int64 } from "../../src/base/dtype.ts";
import { Complex, pyfloat } from "../../src/base/scalar.ts";
import { Size } from "../../src/base/size.ts";
import { weightsOnly } from "../../src/serialization/globals.ts";
import { Op } from "../../src/serialization/opcodes.ts";
import { pickle } from "../../src/serialization/pickler.ts";
import { toJs } from "../../src/serialization/to_js.ts";
import { unpickle } from "../../src/serialization/unpickler.ts";

const noStorages = weightsOnly(() => {
  throw new Error("no storages here");
});
const noTensors = (): never => {
  throw new Error("no tensors here");
};
const read = (bytes: Uint8Array): unknown => toJs(unpickle(bytes, noStorages, "p").value, noTensors);
const again = (value: unknown): unknown => read(pickle(value));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const program = (...ops: (number | string)[]): Uint8Array =>
  new Uint8Array(
    Buffer.concat(ops.map((op) => typeof op === "number" ? Buffer.from([op]) : Buffer.from(op, "latin1"))),
  );

describe("pickle", () => {
  it.each<[string, unknown, string]>([
    // pickle.dumps(value, 2).hex() in CPython 3.11
    ["None", null, "80024e2e"],
    ["True", true, "8002882e"],
    ["255", 255, "80024bff2e"],
    ["256", 256, "80024d00012e"],
    ["65536", 65536, "80024a000001002e"],
    ["-1", -1, "80024affffffff2e"],
    ["2**31", 2 ** 31, "80028a0500000080002e"],
    ["-2**31 - 1", -(2 ** 31) - 1, "80028a05ffffff7fff2e"],
    ["-2**63", -(2n ** 63n), "80028a0800000000000000802e"],
    ["2**64", 2n ** 64n, "80028a090000000000000000012e"],
    ["0.5", 0.5, "8002473fe00000000000002e"],
    ["2.0", pyfloat(2), "80024740000000000000002e"],
    ["-0.0", -0, "80024780000000000000002e"],
    ["1e300", 1e300, "8002477e37e43c8800759c2e"],
    ["'é'", "é", "80025802000000c3a971002e"],
    ["[]", [], "80025d71002e"],
    ["[1, [2]]", [1, [2]], "80025d7100284b015d71014b0261652e"],
    ["{'a': 1}", { a: 1 }, "80027d71005801000000617101" + "4b01732e"],
    ["['x', 'x']", ["x", "x"], "80025d710028580100000078710168" + "01652e"],
    [
      "OrderedDict(a=1)",
      new Map([["a", 1]]),
      "800263636f6c6c656374696f6e730a4f726465726564446963740a71002952710158010000006171024b01732e",
    ],
    [
      "{1, 2}",
      new Set([1, 2]),
      "8002635f5f6275696c74696e5f5f0a7365740a71005d7101284b014b026585710252" + "71032e",
    ],
  ])("writes %s as CPython does", (_, value, want) => {
    expect(hex(pickle(value))).toBe(want);
  });

  it("gives back what it was given", () => {
    const value = {
      list: [1, -5, 2.5, 1e100, Infinity, -Infinity, NaN, null, true, false, "text", "😀", "\ud800 half", ""],
      map: new Map<unknown, unknown>([[1, "one"], ["1", "text"], [null, 0], [2.5, []]]),
      set: new Set([1, "a"]),
      bytes: Uint8Array.of(0, 127, 128, 255),
      none: new Uint8Array(0),
      big: 2n ** 70n,
      negative: -(2n ** 63n),
      size: Size.of(2, 3),
      dtypes: [float32, int64],
      device: new Device("cuda", 1),
      complex: new Complex(1, -2.5),
      nested: { a: { b: { c: [[[]]] } } },
    };
    expect(again(value)).toEqual(value);
    expect((again(value) as typeof value).size).toBeInstanceOf(Size);
  });
  it("keeps batches apart beyond 1000 items", () => {
    const list = Array.from({ length: 2501 }, (_, i) => i);
    expect(again(list)).toEqual(list);
    const map = new Map(list.map((i) => [i, `value ${i}`]));
    expect(again(map)).toEqual(map);
  });
  it("keeps objects that appear twice one object, also around a circle", () => {
    const shared = [1], value: unknown[] = [shared, shared, new Map([["s", shared]])];
    value.push(value);
    const got = again(value) as unknown[];
    expect(got[1]).toBe(got[0]);
    expect((got[2] as Map<string, unknown>).get("s")).toBe(got[0]);
    expect(got[3]).toBe(got);
  });
  it("gives an OrderedDict back as a Map in its order, a dict as an object unless its keys forbid it", () => {
    expect(again(new Map([["z", 1], ["a", 2]]))).toEqual(new Map([["z", 1], ["a", 2]]));
    expect(again({ z: 1, a: 2 })).toEqual({ z: 1, a: 2 });
    const dict = (key: string) =>
      read(
        program(
          Op.PROTO,
          2,
          Op.EMPTY_DICT,
          Op.SHORT_BINUNICODE,
          key.length,
          key,
          Op.NONE,
          Op.SETITEM,
          Op.STOP,
        ),
      );
    expect(dict("x")).toEqual({ x: null });
    expect(dict("12")).toEqual(new Map([["12", null]])); // an object would move it to the front
    const proto = dict("__proto__");
    expect(proto).toEqual(new Map([["__proto__", null]]));
    expect(Object.getPrototypeOf(proto)).toBe(Map.prototype);
  });
  it("writes what was loaded as it was: tuples, whole floats, dicts", () => {
    const source = program(
      Op.PROTO,
      2,
      Op.EMPTY_DICT,
      Op.BINPUT,
      0,
      Op.MARK,
      Op.BININT1,
      7,
      Op.BINFLOAT,
      "\x40\0\0\0\0\0\0\0",
      Op.BININT1,
      8,
      Op.BININT1,
      2,
      Op.BINFLOAT,
      "\x40\0\0\0\0\0\0\0",
      Op.TUPLE2,
      Op.BINPUT,
      1,
      Op.SETITEMS,
      Op.STOP,
    );
    const value = read(source) as Map<number, unknown>;
    expect(value).toEqual(new Map<number, unknown>([[7, 2], [8, [2, 2]]]));
    expect(hex(pickle(value))).toBe(hex(source));
    value.set(7, 3); // no longer the number that was a float
    expect(again(value)).toEqual(new Map<number, unknown>([[7, 3], [8, [2, 2]]]));
    expect(hex(pickle(value))).toContain("4b074b03");
  });
  it("says where a value that cannot be saved is", () => {
    class Net {}
    expect(() => pickle({ model: [1, new Net()] })).toThrow(
      "torch.save(): the value.model[1] is a Net, which a file cannot hold; save data, such as a module's state_dict()",
    );
    expect(() => pickle({ f: () => 1 })).toThrow("the value.f is a function");
    expect(() => pickle([new Float32Array(2)])).toThrow(
      "the value[0] is a Float32Array, which a file cannot hold; make a tensor of it (torch.tensor)",
    );
    expect(() => pickle(Symbol("s"))).toThrow("the value is a symbol");
  });
  it("refuses to go deeper than 1000 levels, both ways", () => {
    let deep: unknown = 0;
    for (let i = 0; i < 900; i++) deep = [deep];
    expect(again(deep)).toEqual(deep);
    for (let i = 0; i < 200; i++) deep = [deep];
    expect(() => pickle(deep)).toThrow("nested more than 1000 deep");
    const lists = program(
      Op.PROTO,
      2,
      ...Array(5000).fill(Op.EMPTY_LIST),
      ...Array(4999).fill(Op.APPEND),
      Op.STOP,
    );
    expect(() => read(lists)).toThrow("nested more than 1000 deep");
  });
});

describe("unpickle", () => {
  it.each([
    // pickle.dumps({"a": (1, [2.5]), "b": {3}, "c": b"xy", "d": frozenset([4]), "e": bytearray(b"z"), "f": (1, 2, 3, 4)}, protocol)
    [
      4,
      "80049569000000000000007d94288c0161944b015d944740040000000000006186948c0162948f94284b03908c01639443027879948c016494284b0491948c0165948c" +
      "086275696c74696e73948c0962797465617272617994939443017a94859452948c016694284b014b024b034b047494752e",
    ],
    [
      5,
      "80059553000000000000007d94288c0161944b015d944740040000000000006186948c0162948f94284b03908c01639443027879948c016494284b0491948c01659496" +
      "01000000000000007a948c016694284b014b024b034b047494752e",
    ],
  ])("understands protocol %i", (_, pickled) => {
    expect(read(new Uint8Array(Buffer.from(pickled, "hex")))).toEqual({
      a: [1, [2.5]],
      b: new Set([3]),
      c: Uint8Array.of(120, 121),
      d: new Set([4]),
      e: Uint8Array.of(122),
      f: [1, 2, 3, 4],
    });
  });
  it("treats equal keys as Python does", () => {
    const dict = program(
      Op.PROTO,
      2,
      Op.EMPTY_DICT,
      Op.MARK,
      Op.BININT1,
      1,
      Op.BININT1,
      10,
      Op.NEWTRUE,
      Op.BININT1,
      20,
      Op.SETITEMS,
      Op.STOP,
    );
    expect(read(dict)).toEqual(new Map([[1, 20]]));
  });
  it.each<[string, Uint8Array, RegExp]>([
    [
      "a list as a key",
      program(Op.PROTO, 2, Op.EMPTY_DICT, Op.EMPTY_LIST, Op.NONE, Op.SETITEM, Op.STOP),
      /unhashable type: 'list'/,
    ],
    [
      "a key without value",
      program(Op.PROTO, 2, Op.EMPTY_DICT, Op.MARK, Op.NONE, Op.SETITEMS, Op.STOP),
      /a dict's key has no value/,
    ],
    [
      "APPEND to a tuple",
      program(Op.PROTO, 2, Op.EMPTY_TUPLE, Op.NONE, Op.APPEND, Op.STOP),
      /can only append to a list, but got tuple \(APPEND at byte 4/,
    ],
    [
      "SETITEM on a list",
      program(Op.PROTO, 2, Op.EMPTY_LIST, Op.NONE, Op.NONE, Op.SETITEM, Op.STOP),
      /can only set items of a dict, but got list/,
    ],
    ["APPENDS without MARK", program(Op.PROTO, 2, Op.EMPTY_LIST, Op.APPENDS, Op.STOP), /there is no MARK/],
    [
      "REDUCE of a number",
      program(Op.PROTO, 2, Op.BININT1, 1, Op.EMPTY_TUPLE, Op.REDUCE, Op.STOP),
      /Trying to call int/,
    ],
    [
      "REDUCE with a list",
      program(Op.PROTO, 2, Op.GLOBAL, "torch\nSize\n", Op.EMPTY_LIST, Op.REDUCE, Op.STOP),
      /arguments must be a tuple, but got list/,
    ],
    [
      "BUILD of a list",
      program(Op.PROTO, 2, Op.EMPTY_LIST, Op.EMPTY_DICT, Op.BUILD, Op.STOP),
      /Can only build Tensor, parameter or dict objects, but got list/,
    ],
    [
      "a function as a value",
      program(Op.PROTO, 2, Op.GLOBAL, "torch\nSize\n", Op.STOP),
      /torch\.Size is a Python object that has no counterpart here/,
    ],
    [
      "a bare storage class",
      program(Op.PROTO, 2, Op.GLOBAL, "torch\nFloatStorage\n", Op.STOP),
      /a bare storage cannot be loaded/,
    ],
    [
      "a name with a dot trick",
      program(Op.PROTO, 2, Op.GLOBAL, "builtins\neval\n", Op.STOP),
      /Unsupported class builtins\.eval/,
    ],
    [
      "a name from the stack",
      program(
        Op.PROTO,
        4,
        Op.SHORT_BINUNICODE,
        2,
        "os",
        Op.SHORT_BINUNICODE,
        6,
        "system",
        Op.STACK_GLOBAL,
        Op.STOP,
      ),
      /Unsupported class os\.system/,
    ],
    ["a name that does not end", program(Op.PROTO, 2, Op.GLOBAL, "torch"), /a name does not end/],
    [
      "an integer of 2 GB",
      program(Op.PROTO, 2, Op.LONG4, "\xff\xff\xff\x7f", Op.STOP),
      /an integer of 2147483647 bytes is too large/,
    ],
    [
      "a text of 2^63 bytes",
      program(Op.PROTO, 4, Op.BINUNICODE8, "\0\0\0\0\0\0\0\x80", Op.STOP),
      /the pickle ends after/,
    ],
    [
      "a text that is not UTF-8",
      program(Op.PROTO, 2, Op.BINUNICODE, "\x01\0\0\0\xff", Op.STOP),
      /a text is not UTF-8/,
    ],
    [
      "a frame longer than the pickle",
      program(Op.PROTO, 4, Op.FRAME, "\xff\0\0\0\0\0\0\0", Op.STOP),
      /a frame of 255 bytes is longer than the pickle/,
    ],
    ["left over values", program(Op.PROTO, 2, Op.NONE, Op.NONE, Op.STOP), /values are left over/],
    ["an open MARK", program(Op.PROTO, 2, Op.MARK, Op.NONE, Op.STOP), /values are left over/],
    ["protocol 0", program("I1\n."), /an instruction that plain data does not need \(0x49 at byte 0/],
    [
      "an int that is no size",
      program(
        Op.PROTO,
        2,
        Op.GLOBAL,
        "torch\nSize\n",
        Op.EMPTY_LIST,
        Op.NONE,
        Op.APPEND,
        Op.TUPLE1,
        Op.REDUCE,
        Op.STOP,
      ),
      /must be an int, but is None/,
    ],
    [
      "an unknown device",
      program(
        Op.PROTO,
        2,
        Op.GLOBAL,
        "torch\ndevice\n",
        Op.SHORT_BINUNICODE,
        3,
        "tpu",
        Op.TUPLE1,
        Op.REDUCE,
        Op.STOP,
      ),
      /Expected one of cpu, cuda, meta device type/,
    ],
    [
      "a codec other than latin1",
      program(
        Op.PROTO,
        2,
        Op.GLOBAL,
        "_codecs\nencode\n",
        Op.SHORT_BINUNICODE,
        1,
        "a",
        Op.SHORT_BINUNICODE,
        5,
        "rot13",
        Op.TUPLE2,
        Op.REDUCE,
        Op.STOP,
      ),
      /only allowed for bytes/,
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(message);
  });
  it("stays quick on a tuple whose text would be exponentially long", () => {
    const doubling = Array.from({ length: 60 }, () => [Op.DUP, Op.TUPLE2]).flat();
    const bomb = program(
      Op.PROTO,
      2,
      Op.EMPTY_DICT,
      Op.EMPTY_TUPLE,
      ...doubling,
      Op.NONE,
      Op.SETITEM,
      Op.STOP,
    );
    const start = performance.now();
    expect(() => read(bomb)).toThrow("a dict key is too large");
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
