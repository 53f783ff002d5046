/** Unpacks the bytes of an embedded module. */

import { isDeno, nodeModule } from "./env.ts";

interface Zlib {
  inflateRawSync(data: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const fromBase64 = (Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text);
  const buffer = (globalThis as { Buffer?: { from(text: string, encoding: "base64"): Uint8Array } }).Buffer;
  if (buffer !== undefined) return new Uint8Array(buffer.from(text, "base64")); // Node before 25
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflateByStream(
  packed: Uint8Array<ArrayBuffer>,
  byteLength: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  // Not awaited: a write completes only when the other end is read, and reading reports a failure of either.
  writer.write(packed).catch(() => {});
  writer.close().catch(() => {});
  const reader = stream.readable.getReader();
  const bytes = new Uint8Array(byteLength);
  let filled = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    bytes.set(piece.value, filled);
    filled += piece.value.length;
  }
  if (filled !== byteLength) throw new Error(`the embedded core is damaged: it ends after ${filled} bytes`);
  return bytes;
}

/** Raw deflate data in base64 as bytes; `byteLength` is what must come out. */
export async function inflate(base64: string, byteLength: number): Promise<Uint8Array<ArrayBuffer>> {
  const packed = decodeBase64(base64);
  // Deno takes 50 ms to load its node:zlib and 1 to load its streams; with Node it is the other way round.
  const zlib = isDeno ? undefined : await nodeModule<Zlib>("zlib");
  if (zlib === undefined) return inflateByStream(packed, byteLength);
  return new Uint8Array(zlib.inflateRawSync(packed, { maxOutputLength: byteLength }));
}
