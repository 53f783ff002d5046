/**
 * Files and the platform's zlib, synchronous, over `node:fs` and `node:zlib` (which Deno and Bun have too). Where there is no
 * file system every function says so in one sentence.
 */
import { builtinModule, runtime } from "./env.ts";

type Fs = typeof import("node:fs");

function fileSystem(): Fs {
  const fs = builtinModule("node:fs");
  if (fs === undefined) {
    throw new Error(
      `this runtime (${runtime}) gives no access to files: pass bytes (Uint8Array) instead of a path, ` +
        `or run in Deno 2, Bun or Node 20.16 or later`,
    );
  }
  return fs;
}

/** Whether this runtime has a file system at all (it may still refuse a certain file). */
export function hasFileSystem(): boolean {
  return builtinModule("node:fs") !== undefined;
}

/** Where bytes can be read at any position: a file or a piece of memory. */
export interface ByteSource {
  readonly size: number;
  /** What to call it in an error message. */
  readonly name: string;
  /** The bytes [offset, offset + length); throws a RangeError if they are not all there. */
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

function checkRange(source: ByteSource, offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= source.size)) {
    throw new RangeError(
      `${source.name}: bytes ${offset} to ${offset + length} are beyond its end (${source.size} bytes)`,
    );
  }
}

/** A `ByteSource` over bytes in memory. What it gives out are views, not copies. */
export function memorySource(bytes: Uint8Array, name = "the given bytes"): ByteSource {
  return {
    size: bytes.length,
    name,
    read(offset, length) {
      checkRange(this, offset, length);
      return bytes.subarray(offset, offset + length);
    },
    close() {},
  };
}

/** Opens a file for reading at any position. */
export function openFile(path: string | URL): ByteSource {
  const fs = fileSystem(), handle = fs.openSync(path, "r");
  const stat = fs.fstatSync(handle);
  if (!stat.isFile()) {
    fs.closeSync(handle);
    throw new Error(`${path} is not a file`);
  }
  let open = true;
  return {
    size: stat.size,
    name: String(path),
    read(offset, length) {
      checkRange(this, offset, length);
      const out = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const n = fs.readSync(handle, out, done, length - done, offset + done);
        if (n === 0) throw new RangeError(`${path}: the file became shorter while it was read`);
        done += n;
      }
      return out;
    },
    close() {
      if (open) fs.closeSync(handle);
      open = false;
    },
  };
}

/** The whole content of a file. */
export function readFile(path: string | URL): Uint8Array {
  const file = openFile(path);
  try {
    return file.read(0, file.size);
  } finally {
    file.close();
  }
}

/** The size of a file in bytes, or undefined if there is no such file (or it cannot be seen). */
export function fileSize(path: string): number | undefined {
  try {
    const stat = fileSystem().statSync(path);
    return stat.isFile() ? stat.size : undefined;
  } catch {
    return undefined;
  }
}

/** Whether there is a file of this name. */
export function fileExists(path: string): boolean {
  return fileSize(path) !== undefined;
}

/** A file being written from its end. */
export interface FileWriter {
  write(bytes: Uint8Array): void;
  /** Brings the bytes to the disk and closes the file. */
  close(): void;
}

/** Opens a file for writing; `append` keeps what is there. */
export function openWriter(path: string, { append = false }: { append?: boolean } = {}): FileWriter {
  const fs = fileSystem(), handle = fs.openSync(path, append ? "a" : "w");
  let open = true;
  return {
    write(bytes) {
      for (let done = 0; done < bytes.length;) done += fs.writeSync(handle, bytes, done, bytes.length - done);
    },
    close() {
      if (!open) return;
      open = false;
      try {
        fs.fsyncSync(handle);
      } finally {
        fs.closeSync(handle);
      }
    },
  };
}

let temporaries = 0;

/**
 * Writes a file so that a reader (or a power cut) sees either the old content or the whole new one: into a temporary neighbour
 * first, then renamed over it.
 */
export function writeFileAtomic(
  path: string | URL,
  content: (write: (bytes: Uint8Array) => void) => void,
): void {
  const fs = fileSystem(), target = toPath(path);
  const temporary = `${target}.${(Date.now() % 1e9).toString(36)}${temporaries++}.tmp`;
  try {
    const writer = openWriter(temporary);
    try {
      content((bytes) => writer.write(bytes));
    } finally {
      writer.close();
    }
    fs.renameSync(temporary, target);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** A path as text; a file: URL becomes the path that it names. */
export function toPath(path: string | URL): string {
  if (typeof path === "string") return path;
  if (path.protocol !== "file:") throw new TypeError(`expected a path or a file: URL, but got ${path}`);
  const text = decodeURIComponent(path.pathname);
  return /^\/[A-Za-z]:/.test(text) ? text.slice(1) : text;
}

/** Joins path parts with the separator that every platform takes. */
export function joinPath(...parts: string[]): string {
  return parts.filter((part) => part !== "").join("/").replace(/([^:/])\/{2,}/g, "$1/");
}

/** Makes a directory and its parents. */
export function makeDirectory(path: string): void {
  fileSystem().mkdirSync(path, { recursive: true });
}

/** Removes a file if it is there. */
export function removeFile(path: string): void {
  fileSystem().rmSync(path, { force: true });
}

/** Renames a file, replacing `to` if it exists. */
export function renameFile(from: string, to: string): void {
  fileSystem().renameSync(from, to);
}

/** The platform's zlib, or undefined (browsers). */
export function platformZlib(): typeof import("node:zlib") | undefined {
  return builtinModule("node:zlib");
}

function needZlib(what: string): typeof import("node:zlib") {
  const zlib = platformZlib();
  if (zlib === undefined) {
    throw new Error(
      `${what} is compressed and this runtime (${runtime}) has no synchronous zlib: unpack it first`,
    );
  }
  return zlib;
}

/** zlib's bytes without the pool of small Buffers around them. */
const plain = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);

/** Unpacks a gzip file (all its members), whose checksum and length zlib verifies; never makes more than `limit` bytes. */
export function gunzip(bytes: Uint8Array, what: string, limit: number): Uint8Array {
  const zlib = needZlib(what);
  try {
    return plain(zlib.gunzipSync(bytes, { maxOutputLength: limit }));
  } catch (error) {
    throw new Error(`${what}: not a whole gzip file (${zlibReason(error)})`, { cause: error });
  }
}

/** Unpacks raw deflate data that must give exactly `size` bytes. */
export function inflateRaw(bytes: Uint8Array, what: string, size: number): Uint8Array {
  const zlib = needZlib(what);
  let out: Uint8Array;
  try {
    out = plain(zlib.inflateRawSync(bytes, { maxOutputLength: Math.max(size, 1) }));
  } catch (error) {
    throw new Error(`${what}: its compressed data is damaged (${zlibReason(error)})`, { cause: error });
  }
  if (out.length !== size) {
    throw new Error(`${what}: unpacks to ${out.length} bytes, but ${size} were declared`);
  }
  return out;
}

function zlibReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE"
    ? "it unpacks to more than expected"
    : error.message;
}
