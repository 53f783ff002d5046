/** Reads PNG pictures of 8 bits per channel without interlacing, as grey, with what every edge runtime has. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Channels by colour type; palettes (3) are not read. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };
const MOST_PIXELS = 1 << 20;

/** A picture of one byte per pixel. */
export interface GreyImage {
  width: number;
  height: number;
  grey: Uint8Array;
}

/** @see https://www.w3.org/TR/png-3/ */
export async function decodePng(bytes: Uint8Array): Promise<GreyImage> {
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw new Error("it does not begin like one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  let width = 0, height = 0, channels = 0;
  const data: Uint8Array[] = [];
  for (let at = 8;;) {
    if (at + 12 > bytes.length) throw new Error("it is cut off");
    const length = view.getUint32(at), name = text(at + 4), body = at + 8;
    if (body + length + 4 > bytes.length) throw new Error("it is cut off");
    if (name === "IHDR") {
      if (length !== 13) throw new Error("its header is damaged");
      width = view.getUint32(body);
      height = view.getUint32(body + 4);
      const depth = bytes[body + 8]!, colourType = bytes[body + 9]!, interlace = bytes[body + 12]!;
      channels = CHANNELS[colourType] ?? 0;
      if (depth !== 8 || channels === 0 || interlace !== 0) {
        throw new Error(
          `bit depth ${depth}, colour type ${colourType}, interlace ${interlace} is not supported`,
        );
      }
      if (width === 0 || height === 0 || width * height > MOST_PIXELS) {
        throw new Error(`${width}x${height} pixels`);
      }
    } else if (name === "IDAT") data.push(bytes.subarray(body, body + length));
    else if (name === "IEND") break;
    at = body + length + 4;
  }
  if (channels === 0) throw new Error("it has no header");
  const stride = width * channels, raw = await inflate(data, (stride + 1) * height);
  unfilter(raw, stride, height, channels);
  return { width, height, grey: toGrey(raw, width, height, channels) };
}

async function inflate(parts: Uint8Array[], size: number): Promise<Uint8Array> {
  const stream = new Blob(parts as BlobPart[]).stream().pipeThrough(new DecompressionStream("deflate"));
  const out = new Uint8Array(size);
  let at = 0;
  for await (const chunk of stream) {
    if (at + chunk.length > size) throw new Error("it holds more than its size says");
    out.set(chunk, at);
    at += chunk.length;
  }
  if (at !== size) throw new Error("it holds less than its size says");
  return out;
}

/** Section 9 of the specification: each row was stored as differences, after a byte that says to what. */
function unfilter(raw: Uint8Array, stride: number, height: number, channels: number): void {
  for (let y = 0; y < height; y++) {
    const row = y * (stride + 1) + 1, filter = raw[row - 1]!;
    if (filter > 4) throw new Error(`row ${y} has the unknown filter ${filter}`);
    for (let i = 0; i < stride; i++) {
      const left = i >= channels ? raw[row + i - channels]! : 0;
      const up = y > 0 ? raw[row + i - stride - 1]! : 0;
      const corner = y > 0 && i >= channels ? raw[row + i - stride - 1 - channels]! : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      raw[row + i] = raw[row + i]! + guess;
    }
  }
}

function paeth(left: number, up: number, corner: number): number {
  const p = left + up - corner, a = Math.abs(p - left), b = Math.abs(p - up), c = Math.abs(p - corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Luma of ITU-R 601, times opacity: what is transparent is black. */
function toGrey(raw: Uint8Array, width: number, height: number, channels: number): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const at = Math.floor(i / width) * (width * channels + 1) + 1 + (i % width) * channels;
    const grey = channels < 3 ? raw[at]! : 0.299 * raw[at]! + 0.587 * raw[at + 1]! + 0.114 * raw[at + 2]!;
    return Math.round(channels % 2 === 0 ? grey * raw[at + channels - 1]! / 255 : grey);
  });
}
