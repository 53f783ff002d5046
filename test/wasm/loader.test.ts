import { describe, expect, test } from "vitest";
import {
  bestVariant,
  type Core,
  instantiateCore,
  loadCore,
  probe,
  supports,
  VARIANTS,
} from "../../wasm/loader.ts";
import { KERNELS, SLOT, STATUS } from "../../src/_gen/kernels.ts";
import { launch } from "./launch.ts";
import { pointwiseF32 } from "./pointwise.ts";

const COUNT = 1000;

/** 2 ** sin(x) + x / 3 over a ramp, computed by the core. */
function someNumbers(core: Core): Float32Array {
  const x = core.heapBase, y = x + COUNT * 4, z = y + COUNT * 4;
  for (let i = 0; i < COUNT; i++) core.f32[x / 4 + i] = (i - 500) / 50;
  core.f32.fill(3, z / 4, z / 4 + COUNT);
  expect(pointwiseF32(core, "sin", COUNT, y, x)).toBe(STATUS.OK);
  expect(pointwiseF32(core, "exp2", COUNT, y, y)).toBe(STATUS.OK);
  expect(pointwiseF32(core, "div", COUNT, z, x, z)).toBe(STATUS.OK);
  expect(pointwiseF32(core, "add", COUNT, y, y, z)).toBe(STATUS.OK);
  return core.f32.slice(y / 4, y / 4 + COUNT);
}

describe("builds", () => {
  test("this engine runs the fastest one", async () => {
    const features = await probe();
    expect(features).toEqual({ simd: true, relaxed: true, threads: true });
    expect((await loadCore()).variant).toBe("relaxed-mt");
  });

  test.each(VARIANTS)("%s computes", async (variant) => {
    const core = await loadCore({ variant });
    expect(core.variant).toBe(variant);
    const numbers = someNumbers(core);
    for (let i = 0; i < COUNT; i++) {
      const x = Math.fround((i - 500) / 50);
      const expected = 2 ** Math.sin(x) + x / 3;
      expect(Math.abs((numbers[i] as number) - expected)).toBeLessThan(2e-6);
    }
  });

  test.each([["simd", "simd-mt"], ["relaxed", "relaxed-mt"]] as const)(
    "%s and %s agree to the bit",
    async (a, b) => {
      expect(someNumbers(await loadCore({ variant: a }))).toEqual(
        someNumbers(await loadCore({ variant: b })),
      );
    },
  );

  test.each(VARIANTS)("%s exports every kernel of the headers", async (variant) => {
    const { exports } = await loadCore({ variant });
    const declared = Object.entries(KERNELS).flatMap(([name, { scratch }]) =>
      scratch ? [name, `${name}_scratch`] : [name]
    );
    expect(declared.filter((name) => typeof exports[name] !== "function")).toEqual([]);
  });

  test("the choice follows the features", () => {
    expect(bestVariant({ simd: true, relaxed: true, threads: false })).toBe("relaxed");
    expect(bestVariant({ simd: true, relaxed: false, threads: true })).toBe("simd-mt");
    expect(bestVariant({ simd: false, relaxed: false, threads: true })).toBeNull();
    expect(supports({ simd: true, relaxed: false, threads: true }, "relaxed-mt")).toBe(false);
    expect(supports({ simd: true, relaxed: true, threads: false }, "simd-mt")).toBe(false);
    expect(supports({ simd: true, relaxed: true, threads: false }, "relaxed")).toBe(true);
  });

  test("a compiled module is instantiated synchronously", async () => {
    const { module } = await loadCore({ variant: "relaxed" });
    const core = instantiateCore(module);
    expect(core.variant).toBe("relaxed");
    expect(core.threads.info()).toMatchObject({
      count: 1,
      max: 1,
      reason: "this build of the core has no threads",
    });
    expect(core.threads.request()).toBe(1);
    expect(someNumbers(core)).toEqual(someNumbers(await loadCore({ module })));
  });
});

describe("memory", () => {
  test("areas do not overlap and are aligned", async () => {
    for (const variant of VARIANTS) {
      const core = await loadCore({ variant });
      expect(core.heapBase % 64).toBe(0);
      expect(core.argBase % 64).toBe(0);
      expect(core.argBase + core.argBytes).toBeLessThanOrEqual(core.heapBase);
      expect(core.errorInfo).toBeLessThan(core.heapBase);
      expect(core.byteLength - core.heapBase).toBeGreaterThan(8 << 20);
      expect(core.maxByteLength).toBe(65535 * 65536);
    }
  });

  test.each(["relaxed", "relaxed-mt"] as const)("%s grows, and the views with it", async (variant) => {
    const core = await loadCore({ variant });
    const before = core.byteLength;
    core.u8[before - 1] = 77;
    expect(core.grow(1)).toBe(true);
    expect(core.byteLength).toBe(before + 65536);
    expect(core.memory.buffer.byteLength).toBe(core.byteLength);
    for (const view of [core.u8, core.i32, core.u32, core.f32, core.f64, core.i64]) {
      expect(view.byteLength).toBe(core.byteLength);
      expect(view.buffer).toBe(core.memory.buffer);
    }
    expect(core.u8[before - 1]).toBe(77);
    expect(core.grow(core.maxByteLength)).toBe(false);
    expect(core.byteLength).toBe(before + 65536);
  });

  test("a limit holds", async () => {
    const core = await loadCore({ variant: "relaxed", maxMemory: 32 << 20 });
    expect(core.maxByteLength).toBe(32 << 20);
    expect(core.grow(64 << 20)).toBe(false);
    expect(core.grow((32 << 20) - core.byteLength)).toBe(true);
    expect(core.grow(1)).toBe(false);
    await expect(loadCore({ variant: "relaxed", maxMemory: 1 << 20 })).rejects.toThrow(
      "loadCore(): maxMemory must be at least 16777216, but got 1048576",
    );
  });

  test.each(["relaxed", "relaxed-mt"] as const)(
    "%s works above 2 GiB, and only touched pages count",
    async (variant) => {
      const core = await loadCore({ variant });
      const rss = process.memoryUsage.rss();
      expect(core.grow(3 * 2 ** 30)).toBe(true);
      const x = core.byteLength - (1 << 20);
      expect(x).toBeGreaterThan(2 ** 31);
      core.f32.fill(20.5, x / 4, x / 4 + 1000);
      expect(pointwiseF32(core, "add", 1000, x + 4096, x, x)).toBe(STATUS.OK);
      expect(core.f32.slice(x / 4 + 1024, x / 4 + 2025)).toEqual(new Float32Array(1001).fill(41, 0, 1000));
      expect(process.memoryUsage.rss() - rss).toBeLessThan(64 << 20);
    },
  );
});

describe("errors", () => {
  test("a status and its numbers", async () => {
    const core = await loadCore();
    const x = core.heapBase, index = x + 64, out = x + 128;
    core.i64.set([0n, 9n], index / 8);
    const status = launch(core, "tc_index_select", {
      dtype: 6,
      index_dtype: 4,
      out,
      in: x,
      index,
      outer: 1,
      n: 4,
      m: 2,
      inner: 1,
      in_outer_stride: 4,
      in_row_stride: 1,
      dim: 2,
    });
    expect(status).toBe(STATUS.INDEX_OUT_OF_RANGE);
    expect([...core.i64.slice(core.errorInfo / 8, core.errorInfo / 8 + 4)]).toEqual([9n, 4n, 1n, 2n]);
  });

  test("after a trap the core works on", async () => {
    const core = await loadCore({ variant: "relaxed" });
    const before = someNumbers(core);
    // Each leaves some stack behind if recover does not do its work: a thousand would use up all of it.
    for (let i = 0; i < 1000; i++) {
      const end = core.byteLength - 64;
      expect(() => pointwiseF32(core, "exp", 1000, end, end)).toThrow(WebAssembly.RuntimeError);
      core.recover();
    }
    expect(someNumbers(core)).toEqual(before);
  });

  test("damaged bytes are refused", async () => {
    await expect(loadCore({ bytes: new Uint8Array([0, 97, 115, 109, 1, 0, 0, 1]) })).rejects.toThrow(
      WebAssembly.CompileError,
    );
  });

  test("slots of the generated table are those of C", () => {
    expect(SLOT.tc_pointwise_args.stride).toBe(90);
    expect(SLOT.tc_matmul_args.batch_shape).toBe(21);
  });
});
