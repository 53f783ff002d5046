/** The runtime functions: devices, memory, copies, streams, events, errors. */

import { KERNELS, POINTWISE, STRUCTS } from "../../../src/_gen/kernels.ts";
import { NativeError, type NativeRuntime, OUT_OF_MEMORY } from "../../../ffi/mod.ts";
import { assert, assertEquals, Buffer, caught, type Check, F32, I64, runOnDevice } from "./harness.ts";

function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);
}
function readBack(device: NativeRuntime, address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  device.copyFromDevice(bytes, address);
  return bytes;
}

const lists: Check = {
  name: "runtime: the library's lists are those of the generated ABI",
  run({ device }) {
    for (const [name, { argBytes, scratch }] of device.kernels) {
      const known = (KERNELS as Record<string, { args: keyof typeof STRUCTS; scratch: boolean }>)[name];
      assert(known !== undefined, `${name} is in no header`);
      assertEquals(argBytes, STRUCTS[known.args].slots * 8, `size of ${known.args}`);
      assertEquals(scratch, known.scratch, `${name} has a _scratch function`);
      assert(device.library.statusFunction(name) !== undefined, `${name} is listed but missing`);
      if (scratch) {
        assert(device.library.sizeFunction(`${name}_scratch`) !== undefined, `${name}_scratch is missing`);
      }
    }
    assertEquals(device.pointwiseOps, Object.keys(POINTWISE), "elementwise operators");
    assertEquals(
      device.library.statusFunction("tc_no_such_kernel"),
      undefined,
      "a function that is not there",
    );
  },
};

const devices: Check = {
  name: "runtime: devices",
  run({ device }) {
    assertEquals(device.info.deviceCount, 2, "devices");
    assert(device.info.hostBuild, "the build under test runs on the processor");
    assertEquals(device.info.failure, null, "failure");
    const first = device.properties(0), second = device.properties(1);
    assertEquals(first.name, "tstorch host device", "name");
    assertEquals([first.warp_size, first.max_threads_per_block], [32, 1024], "limits");
    assert(first.pci_bus_id !== second.pci_bus_id, "two devices have two places");
    assert(caught(() => device.properties(2)).text.includes("invalid device ordinal"), "no third device");
    assert(
      caught(() => device.setDevice(2)).text.includes("cudaErrorInvalidDevice"),
      "no third device to set",
    );
    assert(caught(() => device.setDevice(-1)).text.includes("invalid device ordinal"), "no device -1");
    const before = device.memoryInfo();
    const address = device.malloc(1 << 20);
    assertEquals(before.free - device.memoryInfo().free, 1 << 20, "bytes taken");
    device.setDevice(1);
    const other = device.memoryInfo();
    assertEquals(other.free, other.total, "the second device's memory is its own");
    device.setDevice(0);
    device.free(address);
    assertEquals(device.memoryInfo().free, before.free, "bytes given back");
  },
};

const copies: Check = {
  name: "runtime: copies and fills",
  run({ device }) {
    const a = device.malloc(1000), b = device.malloc(1000), bytes = pattern(1000);
    device.copyToDevice(a, bytes);
    assertEquals([...readBack(device, a, 1000)], [...bytes], "there and back");
    device.copyOnDevice(b, a + 100, 900);
    assertEquals([...readBack(device, b, 900)], [...bytes.subarray(100)], "on the device");
    device.fill(b, 7, 10);
    assertEquals([...readBack(device, b, 11)], [...new Array<number>(10).fill(7), bytes[110]], "filled");
    device.setDevice(1);
    const c = device.malloc(1000);
    device.copyOnDevice(c, a, 1000);
    assertEquals([...readBack(device, c, 1000)], [...bytes], "to the other device");
    device.free(c);
    device.setDevice(0);
    const tiny = new Uint8Array([1, 2, 3]); // such arrays may live in the collected heap
    device.copyToDevice(a, tiny);
    assertEquals([...readBack(device, a, 4)], [1, 2, 3, bytes[3]], "three bytes");
    device.copyToDevice(a, new Uint8Array(0));
    device.copyFromDevice(new Uint8Array(0), a);
    device.fill(a, 1, 0);
    device.copyToDevice(a, bytes.subarray(500, 510));
    assertEquals([...readBack(device, a, 10)], [...bytes.subarray(500, 510)], "a part of an array");
    const pinned = device.hostMalloc(64);
    device.copyPinned("d2h", pinned, a, 10);
    device.copyPinned("h2d", b, pinned, 10);
    assertEquals([...readBack(device, b, 10)], [...bytes.subarray(500, 510)], "through page-locked memory");
    device.synchronize();
    device.hostFree(pinned);
    device.free(a);
    device.free(b);
  },
};

const mistakes: Check = {
  name: "runtime: mistakes are errors and leave the library usable",
  run({ device }) {
    const a = device.malloc(100);
    assert(
      caught(() => device.copyToDevice(a + 60, pattern(60))).text.includes("invalid argument"),
      "past the end",
    );
    assert(
      caught(() => device.copyFromDevice(new Uint8Array(8), 64)).text.includes("cudaMemcpyAsync"),
      "no memory there",
    );
    assert(caught(() => device.fill(a, 0, 101)).text.includes("cudaMemsetAsync"), "fill past the end");
    device.free(a);
    assert(caught(() => device.free(a)).text.includes("cudaFree: invalid argument"), "freed twice");
    const { total } = device.memoryInfo();
    const error = caught(() => device.malloc(total + 1));
    assertEquals([error.status, error.info[0]], [6, OUT_OF_MEMORY], "out of memory");
    assertEquals(
      error.text,
      `cudaMalloc of ${total + 1} bytes: out of memory (cudaErrorMemoryAllocation)`,
      "text",
    );
    device.free(device.malloc(100));
    device.synchronize();
  },
};

const streams: Check = {
  name: "runtime: streams and events",
  run({ device }) {
    const a = device.malloc(1 << 16), b = device.malloc(1 << 16), bytes = pattern(1 << 16, 3);
    const stream = device.streamCreate(), start = device.eventCreate(true), end = device.eventCreate(true);
    device.streamSet(stream);
    device.eventRecord(start, stream);
    device.copyToDevice(a, bytes);
    device.eventRecord(end, stream);
    device.streamSet(0);
    device.eventWait(end, 0); // the default stream now comes after the copy
    device.copyOnDevice(b, a, bytes.length);
    assertEquals(
      readBack(device, b, bytes.length).every((x, i) => x === bytes[i]),
      true,
      "ordered by the event",
    );
    device.eventSynchronize(end);
    assert(device.eventQuery(end) && device.eventQuery(start), "done");
    assert(device.eventElapsed(start, end) >= 0, "time goes forward");
    device.streamSynchronize(stream);
    assert(device.streamQuery(stream), "nothing left");
    const plain = device.eventCreate(false);
    device.eventRecord(plain, 0);
    device.eventSynchronize(plain);
    assert(
      caught(() => device.eventElapsed(start, plain)).text.includes("cudaEventElapsedTime"),
      "an event without a clock",
    );
    for (const event of [start, end, plain]) device.eventDestroy(event);
    device.streamSet(stream);
    device.streamDestroy(stream); // the current stream falls back to the default one
    device.copyToDevice(a, bytes);
    assert(caught(() => device.streamSynchronize(stream)).text.includes("invalid resource handle"), "gone");
    device.free(a);
    device.free(b);
  },
};

const lateErrors: Check = {
  name: "runtime: a bad index is reported once, by a later call, with its kernel",
  run({ device }) {
    const index = new Buffer(I64, 3, (i) => i === 1 ? 9 : 0), x = new Buffer(F32, 4, () => 1);
    const fields = {
      dtype: F32,
      out: new Buffer(F32, 3, () => 5),
      in: x,
      index,
      size: 4,
      n: 3,
      dim_stride: [1, 1, 1],
      dim: 2,
    };
    const outcome = runOnDevice(device, { kernel: "tc_gather", label: "", fields });
    assertEquals([outcome.status, [...outcome.info]], [1, [9, 4, 1, 2]], "status and numbers");
    assertEquals(outcome.text, "found on the device by tc_gather", "text");
    const kept = outcome.buffers.get(fields.out)!;
    assertEquals(fields.out.toArray(kept), [1, 5, 1], "the bad place is left as it was");
    device.synchronize(); // reported once
    try {
      runOnDevice(device, {
        kernel: "tc_gather",
        label: "",
        fields: { ...fields, index: new Buffer(I64, 3, () => 2) },
      });
    } catch (error) {
      throw error instanceof NativeError ? new Error(`not usable after the report: ${error.text}`) : error;
    }
  },
};

export const runtimeChecks: Check[] = [lists, devices, copies, mistakes, streams, lateErrors];
