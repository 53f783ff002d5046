/**
 * The runtime functions of a device library (ffi/cuda/tc_runtime.h) as methods. Errors of the library become
 * {@linkcode NativeError}s.
 *
 * @module
 */
import {
  ABI_VERSION,
  type HostFunction,
  LibraryError,
  type NativeLibrary,
  type StatusFunction,
} from "./native_library.ts";

/** `tc_status` of core/include/tc.h, as far as this folder looks at it. */
export const DEVICE_ERROR = 6;
/** CUDA's error code for "out of memory", `info[0]` of such a failure. */
export const OUT_OF_MEMORY = 2;

/** What a failed call left behind. */
export interface Failure {
  /** The library's text: which call, what CUDA said. */
  readonly text: string;
  /** The four numbers of `tc_error_info`; for device errors the first is CUDA's code. */
  readonly info: readonly [number, number, number, number];
  /** The kernel that found a bad value on the device, if this is such a report. */
  readonly kernel: string | null;
}

/** A call of the library that did not return TC_OK. */
export class NativeError extends Error implements Failure {
  override name = "NativeError";
  readonly status: number;
  readonly text: string;
  readonly info: Failure["info"];
  readonly kernel: string | null;
  constructor(status: number, failure: Failure) {
    super(failure.text);
    this.status = status;
    this.text = failure.text;
    this.info = failure.info;
    this.kernel = failure.kernel;
  }
}

/** What the library knows about itself and the driver. */
export interface LibraryInfo {
  /** Kernels run on the processor (the build for tests). */
  readonly hostBuild: boolean;
  /** The CUDA version that the driver supports, `[13, 0]`; null without a driver. */
  readonly driverVersion: readonly [number, number] | null;
  /** The CUDA version that the library was built with. */
  readonly runtimeVersion: readonly [number, number];
  /** Devices that can be used; if there are none, `failure` says why. */
  readonly deviceCount: number;
  readonly failure: Failure | null;
}

/** A kernel that the library has. */
export interface KernelInfo {
  /** Size of its argument struct. */
  readonly argBytes: number;
  /** Whether it has a `_scratch` function. */
  readonly scratch: boolean;
}

/** As `torch.cuda.get_device_properties` tells it. */
export interface DeviceProperties {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly total_memory: number;
  readonly multi_processor_count: number;
  readonly warp_size: number;
  readonly max_threads_per_block: number;
  readonly shared_memory_per_block: number;
  readonly L2_cache_size: number;
  readonly is_integrated: boolean;
  readonly pci_bus_id: string;
}

const TEXT_BYTES = 16384;
const SLOTS = 48;
const NAME_SLOT = 13;
const NAME_BYTES = 256;

function version(packed: number): readonly [number, number] {
  return [Math.floor(packed / 1000), Math.floor((packed % 1000) / 10)];
}

/** A device library in use. One per process: CUDA's current device and stream belong to the thread. */
export class NativeRuntime {
  readonly library: NativeLibrary;
  readonly info: LibraryInfo;
  /** The kernels that the library has, by name, in the library's order. */
  readonly kernels: ReadonlyMap<string, KernelInfo>;
  /** The elementwise operators in the order of their numbers. */
  readonly pointwiseOps: readonly string[];

  #args = new Uint8Array(SLOTS * 8);
  #i64 = new BigInt64Array(this.#args.buffer);
  #f64 = new Float64Array(this.#args.buffer);
  #text = new Uint8Array(TEXT_BYTES);
  #functions = new Map<string, StatusFunction>();
  #h2d: HostFunction;
  #d2h: HostFunction;
  #lastError: HostFunction;
  #kernelNames: string[];

  /** Takes an open library; throws a {@linkcode LibraryError} if it is none of ours or of another version. */
  constructor(library: NativeLibrary) {
    this.library = library;
    const abi = library.statusFunction("tc_abi_version")?.(this.#args);
    if (abi !== ABI_VERSION) {
      throw new LibraryError(
        abi === undefined
          ? `${library.path} is not a tstorch device library`
          : `${library.path} has ABI version ${abi}, this tstorch needs ${ABI_VERSION}: build or install a matching one`,
      );
    }
    this.#h2d = this.#required("tc_copy_h2d");
    this.#d2h = this.#required("tc_copy_d2h");
    this.#lastError = this.#required("tc_last_error");
    const lines = this.#readText(this.#required("tc_kernel_list")).trimEnd().split("\n").map((line) =>
      line.split(" ")
    );
    this.kernels = new Map(
      lines.filter(([kind]) => kind === "kernel")
        .map(([, name, bytes, scratch]) => [name!, { argBytes: Number(bytes), scratch: scratch === "1" }]),
    );
    this.pointwiseOps = lines.filter(([kind]) => kind === "op").map(([, name]) => name!);
    this.#kernelNames = [...this.kernels.keys()];
    this.info = this.#libraryInfo();
  }

  /** Makes a device current: kernels, copies, allocations and streams go there. */
  setDevice(index: number): void {
    this.#i64[0] = BigInt(index);
    this.#call("tc_set_device");
  }

  properties(device: number): DeviceProperties {
    this.#i64[0] = BigInt(device);
    this.#call("tc_device_properties");
    const at = (slot: number) => Number(this.#i64[slot]);
    const name = this.#args.subarray(NAME_SLOT * 8, NAME_SLOT * 8 + NAME_BYTES);
    const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0");
    return {
      name: new TextDecoder().decode(name.subarray(0, name.indexOf(0))),
      major: at(1),
      minor: at(2),
      multi_processor_count: at(3),
      warp_size: at(4),
      max_threads_per_block: at(5),
      shared_memory_per_block: at(6),
      L2_cache_size: at(7),
      total_memory: at(8),
      pci_bus_id: `${hex(at(9), 4)}:${hex(at(10), 2)}:${hex(at(11), 2)}.0`,
      is_integrated: at(12) !== 0,
    };
  }

  /** Free and total bytes of the current device. */
  memoryInfo(): { free: number; total: number } {
    this.#call("tc_memory_info");
    return { free: Number(this.#i64[0]), total: Number(this.#i64[1]) };
  }

  /** Memory of the current device. */
  malloc(bytes: number): number {
    this.#i64[0] = BigInt(bytes);
    this.#call("tc_malloc");
    return Number(this.#i64[1]);
  }
  free(address: number): void {
    this.#i64[1] = BigInt(address);
    this.#call("tc_free");
  }

  /** Page-locked memory of the host. */
  hostMalloc(bytes: number): number {
    this.#i64[0] = BigInt(bytes);
    this.#call("tc_host_malloc");
    return Number(this.#i64[1]);
  }
  hostFree(address: number): void {
    this.#i64[1] = BigInt(address);
    this.#call("tc_host_free");
  }

  /** Copies from the program to the device; `from` may be reused at once. */
  copyToDevice(address: number, from: Uint8Array): void {
    if (from.length === 0) return;
    this.#copyArgs(address, 0, from.length);
    this.#check(this.#h2d(this.#args, from));
  }
  /** Copies from the device to the program; waits for the stream. */
  copyFromDevice(to: Uint8Array, address: number): void {
    if (to.length === 0) return;
    this.#copyArgs(0, address, to.length);
    this.#check(this.#d2h(this.#args, to));
  }
  /** Copies on the device or from one device to another. */
  copyOnDevice(to: number, from: number, bytes: number): void {
    this.#copyArgs(to, from, bytes);
    this.#call("tc_copy_d2d");
  }
  /** Copies between the device and page-locked memory, without waiting. */
  copyPinned(direction: "h2d" | "d2h", to: number, from: number, bytes: number): void {
    this.#copyArgs(to, from, bytes);
    this.#call(direction === "h2d" ? "tc_copy_h2d_pinned" : "tc_copy_d2h_pinned");
  }
  /** Sets every byte. */
  fill(address: number, value: number, bytes: number): void {
    this.#i64[0] = BigInt(address);
    this.#i64[1] = BigInt(value);
    this.#i64[2] = BigInt(bytes);
    this.#call("tc_memset");
  }

  /** Waits for the current device; reports what kernels found on it. */
  synchronize(): void {
    this.#call("tc_synchronize");
  }

  streamCreate(): number {
    this.#call("tc_stream_create");
    return Number(this.#i64[0]);
  }
  streamDestroy(stream: number): void {
    this.#stream(stream, "tc_stream_destroy");
  }
  /** Kernels and copies on the current device go to this stream from now on; 0 is the default stream. */
  streamSet(stream: number): void {
    this.#stream(stream, "tc_stream_set");
  }
  streamSynchronize(stream: number): void {
    this.#stream(stream, "tc_stream_synchronize");
  }
  /** Whether all work of the stream is done. */
  streamQuery(stream: number): boolean {
    this.#stream(stream, "tc_stream_query");
    return this.#i64[1] !== 0n;
  }

  eventCreate(timing: boolean): number {
    this.#i64[2] = timing ? 1n : 0n;
    this.#call("tc_event_create");
    return Number(this.#i64[0]);
  }
  eventDestroy(event: number): void {
    this.#event(event, 0, "tc_event_destroy");
  }
  eventRecord(event: number, stream: number): void {
    this.#event(event, stream, "tc_event_record");
  }
  /** What follows is recorded instead of done, until `graphEnd`, which returns the record. */
  graphBegin(): void {
    this.#call("tc_graph_begin");
  }
  graphEnd(): number {
    this.#call("tc_graph_end");
    return Number(this.#i64[0]);
  }
  graphLaunch(graph: number): void {
    this.#i64[0] = BigInt(graph);
    this.#call("tc_graph_launch");
  }
  graphDestroy(graph: number): void {
    this.#i64[0] = BigInt(graph);
    this.#call("tc_graph_destroy");
  }

  /** Work that `stream` gets from now on waits for the event. */
  eventWait(event: number, stream: number): void {
    this.#event(event, stream, "tc_event_wait");
  }
  eventSynchronize(event: number): void {
    this.#event(event, 0, "tc_event_synchronize");
  }
  eventQuery(event: number): boolean {
    this.#event(event, 0, "tc_event_query");
    return this.#i64[3] !== 0n;
  }
  /** Milliseconds between two recorded events. */
  eventElapsed(start: number, end: number): number {
    this.#i64[0] = BigInt(start);
    this.#i64[1] = BigInt(end);
    this.#call("tc_event_elapsed");
    return this.#f64[2]!;
  }

  /** What the last call that did not return TC_OK left behind. */
  failure(): Failure {
    const text = this.#readText(this.#lastError);
    const kernel = Number(this.#i64[2]);
    const info = [3, 4, 5, 6].map((slot) => Number(this.#i64[slot])) as [number, number, number, number];
    return { text, info, kernel: kernel < 0 ? null : this.#kernelNames[kernel] ?? null };
  }

  #required(name: string): HostFunction {
    const found = this.library.hostFunction(name);
    if (found === undefined) throw new LibraryError(`${this.library.path} has no function ${name}`);
    return found;
  }

  #libraryInfo(): LibraryInfo {
    const status = this.#find("tc_library_info")(this.#args);
    const [hostBuild, driver, runtime, devices] = [0, 1, 2, 3].map((slot) => Number(this.#i64[slot]));
    return {
      hostBuild: hostBuild === 1,
      driverVersion: driver === 0 ? null : version(driver!),
      runtimeVersion: version(runtime!),
      deviceCount: devices!,
      failure: status === 0 ? null : this.failure(),
    };
  }

  #find(name: string): StatusFunction {
    let found = this.#functions.get(name);
    if (found === undefined) {
      found = this.library.statusFunction(name);
      if (found === undefined) throw new LibraryError(`${this.library.path} has no function ${name}`);
      this.#functions.set(name, found);
    }
    return found;
  }

  #call(name: string): void {
    this.#check(this.#find(name)(this.#args));
  }
  #check(status: number): void {
    if (status !== 0) throw new NativeError(status, this.failure());
  }

  #copyArgs(to: number, from: number, bytes: number): void {
    this.#i64[0] = BigInt(to);
    this.#i64[1] = BigInt(from);
    this.#i64[2] = BigInt(bytes);
  }
  #stream(stream: number, name: string): void {
    this.#i64[0] = BigInt(stream);
    this.#call(name);
  }
  #event(event: number, stream: number, name: string): void {
    this.#i64[0] = BigInt(event);
    this.#i64[1] = BigInt(stream);
    this.#call(name);
  }

  /** A function that fills a text: slot 0 is its room, slot 1 the text's length. */
  #readText(read: HostFunction): string {
    this.#i64[0] = BigInt(TEXT_BYTES);
    read(this.#args, this.#text);
    return new TextDecoder().decode(this.#text.subarray(0, Math.min(TEXT_BYTES, Number(this.#i64[1]))));
  }
}
