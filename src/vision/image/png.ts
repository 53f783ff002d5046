/**
 * Writes PNG (W3C PNG specification, third edition): 8 bits per channel, no interlacing. Where the platform has no zlib the
 * data is stored uncompressed, which every reader takes.
 */
import { crc32 } from "../../base/crc32.ts";
import { platformZlib } from "../../base/fs.ts";
import type { Image } from "./image.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOUR_TYPE = { L: 0, LA: 4, RGB: 2, RGBA: 6 } as const;

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length), view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

/** Adler-32 (RFC 1950). The sums stay exact for 5552 bytes between reductions even in 32 bits. */
function adler32(bytes: Uint8Array): number {
  let a = 1, b = 0;
  for (let from = 0; from < bytes.length; from += 5552) {
    for (let i = from; i < Math.min(from + 5552, bytes.length); i++) b += a += bytes[i]!;
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

/** A zlib stream of stored blocks (RFC 1950, 1951). */
export function zlibStored(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / 65535)),
    out = new Uint8Array(2 + 5 * blocks + bytes.length + 4);
  const view = new DataView(out.buffer);
  out.set([0x78, 0x01]);
  let at = 2;
  for (let i = 0; i < blocks; i++) {
    const part = bytes.subarray(i * 65535, (i + 1) * 65535);
    out[at] = i === blocks - 1 ? 1 : 0;
    view.setUint16(at + 1, part.length, true);
    view.setUint16(at + 3, ~part.length, true);
    out.set(part, at + 5);
    at += 5 + part.length;
  }
  view.setUint32(at, adler32(bytes));
  return out;
}

/** The bytes of a PNG file with this picture. */
export function encodePng(image: Image): Uint8Array {
  const row = image.width * image.channels, raw = new Uint8Array((row + 1) * image.height); // each row begins with its filter: 0, none
  for (let y = 0; y < image.height; y++) {
    raw.set(image.data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  }
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, image.width);
  head.setUint32(4, image.height);
  head.setUint8(8, 8);
  head.setUint8(9, COLOUR_TYPE[image.mode]);
  const zlib = platformZlib(),
    packed = zlib !== undefined ? new Uint8Array(zlib.deflateSync(raw)) : zlibStored(raw);
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", new Uint8Array(head.buffer)),
    chunk("IDAT", packed),
    chunk("IEND", new Uint8Array(0)),
  ];
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
