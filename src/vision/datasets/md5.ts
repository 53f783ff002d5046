/** MD5 (RFC 1321): the checksum by which torchvision knows its files. Not for security. */

/** Left rotations, four per round. */
const SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]] as const;
/** K[i] = floor(2^32 |sin(i + 1)|). The result is far enough from an integer that any engine's sine gives the same words. */
const K = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
const BLOCK = 64;

/** A checksum in the making. */
export class Md5 {
  readonly #state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476);
  readonly #rest = new Uint8Array(BLOCK);
  readonly #words = new Int32Array(16);
  #length = 0;

  /** Adds bytes. */
  update(bytes: Uint8Array): this {
    let at = 0, used = this.#length % BLOCK;
    this.#length += bytes.length;
    if (used > 0) {
      const part = bytes.subarray(0, BLOCK - used);
      this.#rest.set(part, used);
      at = part.length;
      used += at;
      if (used < BLOCK) return this;
      this.#block(this.#rest, 0);
    }
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.#block(bytes, at);
    this.#rest.set(bytes.subarray(at));
    return this;
  }

  /** The checksum as 32 hexadecimal digits. */
  hexDigest(): string {
    const bits = this.#length * 8, used = this.#length % BLOCK;
    const tail = new Uint8Array((used < 56 ? 56 : 120) - used + 8);
    tail[0] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(bits), true);
    this.update(tail);
    const out = new DataView(new ArrayBuffer(16));
    this.#state.forEach((word, i) => out.setInt32(4 * i, word, true));
    return Array.from(new Uint8Array(out.buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  #block(bytes: Uint8Array, at: number): void {
    const words = this.#words;
    for (let i = 0; i < 16; i++, at += 4) {
      words[i] = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    }
    let [a, b, c, d] = this.#state as unknown as [number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      let f: number, word: number;
      if (round === 0) {
        f = (b & c) | (~b & d);
        word = i;
      } else if (round === 1) {
        f = (d & b) | (~d & c);
        word = (5 * i + 1) & 15;
      } else if (round === 2) {
        f = b ^ c ^ d;
        word = (3 * i + 5) & 15;
      } else {
        f = c ^ (b | ~d);
        word = (7 * i) & 15;
      }
      const sum = (a + f + K[i]! + words[word]!) | 0, shift = SHIFTS[round]![i & 3]!;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
    }
    this.#state[0]! += a;
    this.#state[1]! += b;
    this.#state[2]! += c;
    this.#state[3]! += d;
  }
}

/** The checksum of bytes. */
export function md5(bytes: Uint8Array): string {
  return new Md5().update(bytes).hexDigest();
}
