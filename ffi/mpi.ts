/**
 * MPI through the bridges: Open MPI, loaded at run time, in programs that `mpirun` starts. Communicators, types and
 * operations are found by their Fortran numbers (mpif-handles.h), as the C names are data and not functions.
 *
 * The library is the file that TSTORCH_MPI_LIB names, else libmpi.so.40, libmpi.so.
 */

import { envVariable, onExit } from "./env.ts";
import { openLibrary } from "./mod.ts";
import {
  type ForeignFunction,
  type ForeignType,
  LibraryError,
  type NativeLibrary,
} from "./native_library.ts";

/** Fortran numbers of types. */
export const MPI_TYPE = {
  byte: 1,
  float32: 14,
  float64: 15,
  int8: 58,
  uint8: 59,
  int16: 60,
  int32: 62,
  int64: 64,
} as const;
export type MpiType = keyof typeof MPI_TYPE;
const TYPE_SIZE: Readonly<Record<MpiType, number>> = {
  byte: 1,
  float32: 4,
  float64: 8,
  int8: 1,
  uint8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
};
/** Fortran numbers of operations. */
export const MPI_OPERATION = { max: 1, min: 2, sum: 3, product: 4, band: 6, bor: 8, bxor: 10 } as const;
export type MpiOperation = keyof typeof MPI_OPERATION;

const IN_PLACE = 1n;
/** Elements in one call: counts have 32 bits. */
const MOST = 2 ** 30;
const ALL: readonly ForeignType[] = ["u64", "buffer", "i32", "u64", "u64", "u64"];

/** Something that is under way; `buffer` must stay as it is until `wait` has returned. */
export interface Pending {
  wait(): void;
}

/** MPI, initialised. */
export class Mpi {
  readonly world: bigint;
  readonly #library: NativeLibrary;
  readonly #functions = new Map<string, ForeignFunction>();
  readonly #types: Record<string, bigint> = {};
  readonly #operations: Record<string, bigint> = {};

  constructor(library: NativeLibrary) {
    this.#library = library;
    const text = new Uint8Array(512), length = new Uint8Array(8);
    this.#call("MPI_Get_library_version", ["buffer", "buffer"], text, length);
    const version = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
    if (!version.startsWith("Open MPI")) {
      throw new LibraryError(`${library.path} is not Open MPI but ${version}`);
    }
    const started = new Uint8Array(8);
    this.#call("MPI_Initialized", ["buffer"], started);
    if (started[0] === 0) this.#call("MPI_Init", ["u64", "u64"], 0n, 0n);
    this.world = this.#handle("MPI_Comm_f2c", 0);
    for (const [name, n] of Object.entries(MPI_TYPE)) this.#types[name] = this.#handle("MPI_Type_f2c", n);
    for (const [name, n] of Object.entries(MPI_OPERATION)) {
      this.#operations[name] = this.#handle("MPI_Op_f2c", n);
    }
    // A program that fails leaves without this: mpirun then ends the other processes and says why.
    onExit((code) => {
      if (code === 0) this.finalize();
    });
  }

  #find(name: string, parameters: readonly ForeignType[], result: "i32" | "u64"): ForeignFunction {
    let found = this.#functions.get(name);
    if (found === undefined) {
      found = this.#library.foreignFunction(name, parameters, result);
      if (found === undefined) throw new LibraryError(`${this.#library.path} has no function ${name}`);
      this.#functions.set(name, found);
    }
    return found;
  }
  #handle(name: string, n: number): bigint {
    return BigInt(this.#find(name, ["i32"], "u64")(n));
  }
  #call(name: string, parameters: readonly ForeignType[], ...args: (number | bigint | Uint8Array)[]): void {
    const status = this.#find(name, parameters, "i32")(...args);
    if (status !== 0) throw new Error(`${name} failed with error ${status}`);
  }
  #integer(name: string, communicator: bigint): number {
    const out = new Uint8Array(8);
    this.#call(name, ["u64", "buffer"], communicator, out);
    return new DataView(out.buffer).getInt32(0, true);
  }

  rank(communicator: bigint): number {
    return this.#integer("MPI_Comm_rank", communicator);
  }
  size(communicator: bigint): number {
    return this.#integer("MPI_Comm_size", communicator);
  }
  /** Processes that give the same colour get a communicator of their own, in the order of their keys. */
  split(communicator: bigint, color: number, key: number): bigint {
    const out = new Uint8Array(8);
    this.#call("MPI_Comm_split", ["u64", "i32", "i32", "buffer"], communicator, color, key, out);
    return new DataView(out.buffer).getBigUint64(0, true);
  }
  barrier(communicator: bigint): void {
    this.#call("MPI_Barrier", ["u64"], communicator);
  }

  allReduce(data: Uint8Array, type: MpiType, operation: MpiOperation, communicator: bigint): void {
    for (const piece of pieces(data, TYPE_SIZE[type])) {
      const count = piece.length / TYPE_SIZE[type];
      this.#call(
        "MPI_Allreduce",
        ALL,
        IN_PLACE,
        piece,
        count,
        this.#types[type]!,
        this.#operations[operation]!,
        communicator,
      );
    }
  }
  /** As `allReduce`, without waiting for the others. */
  startAllReduce(data: Uint8Array, type: MpiType, operation: MpiOperation, communicator: bigint): Pending {
    void data.buffer; // small arrays live in the heap, where they may be moved, until somebody asks for this
    const requests = pieces(data, TYPE_SIZE[type]).map((piece) => {
      const request = new Uint8Array(8), count = piece.length / TYPE_SIZE[type];
      this.#call(
        "MPI_Iallreduce",
        [...ALL, "buffer"],
        IN_PLACE,
        piece,
        count,
        this.#types[type]!,
        this.#operations[operation]!,
        communicator,
        request,
      );
      return request;
    });
    return {
      wait: () => {
        for (const request of requests.splice(0)) this.#call("MPI_Wait", ["buffer", "u64"], request, 0n);
        data = new Uint8Array(0);
      },
    };
  }
  broadcast(data: Uint8Array, root: number, communicator: bigint): void {
    for (const piece of pieces(data, 1)) {
      this.#call(
        "MPI_Bcast",
        ["buffer", "i32", "u64", "i32", "u64"],
        piece,
        piece.length,
        this.#types["byte"]!,
        root,
        communicator,
      );
    }
  }
  /** `out` holds `data` of every process, one after the other. */
  allGather(data: Uint8Array, out: Uint8Array, communicator: bigint): void {
    const byte = this.#types["byte"]!;
    this.#call(
      "MPI_Allgather",
      ["buffer", "i32", "u64", "buffer", "i32", "u64", "u64"],
      data,
      data.length,
      byte,
      out,
      data.length,
      byte,
      communicator,
    );
  }
  /** Each process gets its part of `data`, reduced over all; `out` has the size of one part. */
  reduceScatter(
    data: Uint8Array,
    out: Uint8Array,
    type: MpiType,
    operation: MpiOperation,
    communicator: bigint,
  ): void {
    this.#call(
      "MPI_Reduce_scatter_block",
      ["buffer", "buffer", "i32", "u64", "u64", "u64"],
      data,
      out,
      out.length / TYPE_SIZE[type],
      this.#types[type]!,
      this.#operations[operation]!,
      communicator,
    );
  }
  /** Process `i` gets part i of everyone's `data`. */
  allToAll(data: Uint8Array, out: Uint8Array, part: number, communicator: bigint): void {
    const byte = this.#types["byte"]!;
    this.#call(
      "MPI_Alltoall",
      ["buffer", "i32", "u64", "buffer", "i32", "u64", "u64"],
      data,
      part,
      byte,
      out,
      part,
      byte,
      communicator,
    );
  }
  send(data: Uint8Array, to: number, tag: number, communicator: bigint): void {
    this.#call(
      "MPI_Send",
      ["buffer", "i32", "u64", "i32", "i32", "u64"],
      data,
      data.length,
      this.#types["byte"]!,
      to,
      tag,
      communicator,
    );
  }
  receive(data: Uint8Array, from: number, tag: number, communicator: bigint): void {
    this.#call(
      "MPI_Recv",
      ["buffer", "i32", "u64", "i32", "i32", "u64", "u64"],
      data,
      data.length,
      this.#types["byte"]!,
      from,
      tag,
      communicator,
      0n,
    );
  }
  /** Ends MPI; waits for the other processes. */
  finalize(): void {
    const done = new Uint8Array(8);
    this.#call("MPI_Finalized", ["buffer"], done);
    if (done[0] === 0) this.#call("MPI_Finalize", []);
  }
}

function pieces(data: Uint8Array, size: number): Uint8Array[] {
  const most = MOST * size, found: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += most) {
    found.push(data.subarray(at, Math.min(at + most, data.length)));
  }
  return found;
}

let opened: Mpi | LibraryError | null = null;

function open(): Mpi | LibraryError {
  const wanted = envVariable("TSTORCH_MPI_LIB");
  const names = wanted ? [wanted] : ["libmpi.so.40", "libmpi.so"];
  let reason: LibraryError | null = null;
  for (const name of names) {
    try {
      return new Mpi(openLibrary(name));
    } catch (error) {
      if (!(error instanceof LibraryError)) throw error;
      reason ??= error;
    }
  }
  return reason!;
}

/** MPI, initialised on first use; throws a {@linkcode LibraryError} that says what is missing. */
export function openMpi(): Mpi {
  opened ??= open();
  if (opened instanceof LibraryError) throw opened;
  return opened;
}

/** Whether the library is there, without starting MPI. */
export function hasMpi(): boolean {
  if (opened !== null) return opened instanceof Mpi;
  for (const name of [envVariable("TSTORCH_MPI_LIB") || "libmpi.so.40", "libmpi.so"]) {
    try {
      openLibrary(name).close();
      return true;
    } catch (error) {
      if (!(error instanceof LibraryError)) throw error;
    }
  }
  return false;
}
