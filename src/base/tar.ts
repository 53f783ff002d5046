/** Reads tar archives (POSIX.1-2017, ustar): the plain files in them, by name. */
import { RuntimeError } from "./errors.ts";
import type { ByteSource } from "./fs.ts";

const BLOCK = 512;

/** Whether a first block is a tar header: its "ustar" magic, or (very old tars) its checksum. */
export function looksLikeTar(head: Uint8Array): boolean {
  return head.length >= BLOCK && headerSum(head) === octal(head.subarray(148, 156));
}

/** The sum of a header's bytes, its own field counted as spaces (POSIX.1 ustar). */
function headerSum(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!;
  return sum;
}

function octal(field: Uint8Array): number {
  const text = new TextDecoder("latin1").decode(field).replace(/[\0 ]+/g, " ").trim();
  return /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
}

/** The regular files of a tar archive by name. */
export function readTar(source: ByteSource): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + BLOCK <= source.size;) {
    const header = source.read(at, BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const size = octal(header.subarray(124, 136));
    if (headerSum(header) !== octal(header.subarray(148, 156)) || !Number.isSafeInteger(size)) {
      throw new RuntimeError(`${source.name}: the tar header at byte ${at} is damaged`);
    }
    const name = new TextDecoder("latin1").decode(header.subarray(0, 100)).replace(/\0.*$/s, "").replace(
      /^\.\//,
      "",
    );
    const start = at + BLOCK, type = header[156]!;
    if (start + size > source.size) {
      throw new RuntimeError(`${source.name}: '${name}' (${size} bytes at ${start}) is cut off`);
    }
    if (type === 0 || type === 0x30) files.set(name, source.read(start, size)); // '0': a regular file
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}
