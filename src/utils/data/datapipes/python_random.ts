/**
 * Python's `random.Random`, as far as pipes shuffle with it: the same seed gives the same order.
 *
 * @module
 */

const N = 624, M = 397;

/** A Mersenne Twister that is seeded and asked as CPython does. */
export class PythonRandom {
  readonly #state = new Uint32Array(N);
  #at = N;

  /** From the 32-bit digits of a number, lowest first (init_by_array of Matsumoto and Nishimura). */
  seed(seed: bigint): this {
    const digits: number[] = [];
    for (let rest = seed < 0n ? -seed : seed; rest > 0n || digits.length === 0; rest >>= 32n) {
      digits.push(Number(rest & 0xffffffffn));
    }
    const s = this.#state;
    s[0] = 19650218;
    for (let i = 1; i < N; i++) s[i] = Math.imul(1812433253, s[i - 1]! ^ (s[i - 1]! >>> 30)) + i;
    let i = 1, j = 0;
    const next = (): void => {
      if (++i < N) return;
      s[0] = s[N - 1]!;
      i = 1;
    };
    for (let k = Math.max(N, digits.length); k > 0; k--) {
      s[i] = (s[i]! ^ Math.imul(s[i - 1]! ^ (s[i - 1]! >>> 30), 1664525)) + digits[j]! + j;
      next();
      j = (j + 1) % digits.length;
    }
    for (let k = N - 1; k > 0; k--) {
      s[i] = (s[i]! ^ Math.imul(s[i - 1]! ^ (s[i - 1]! >>> 30), 1566083941)) - i;
      next();
    }
    s[0] = 0x80000000;
    this.#at = N;
    return this;
  }

  #word(): number {
    const s = this.#state;
    if (this.#at === N) {
      for (let k = 0; k < N; k++) {
        const y = (s[k]! & 0x80000000) | (s[(k + 1) % N]! & 0x7fffffff);
        s[k] = s[(k + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.#at = 0;
    }
    let y = s[this.#at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** A whole number from 0 to n - 1; n below 2^32. */
  below(n: number): number {
    const shift = Math.clz32(n);
    for (;;) {
      const drawn = this.#word() >>> shift;
      if (drawn < n) return drawn;
    }
  }

  /** All items in random order. */
  sample<T>(items: readonly T[]): T[] {
    const pool = [...items];
    return items.map((_, i) => {
      const last = pool.length - i - 1, at = this.below(last + 1), item = pool[at]!;
      pool[at] = pool[last]!;
      return item;
    });
  }
}
