/**
 * The heap manager: a two-level segregated fit allocator (Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory
 * allocator for real-time systems", 2004) whose bookkeeping lives outside the memory it manages, so that one
 * implementation serves the wasm heap and device memory. Small blocks sit in per-size stacks in front of it.
 *
 * It hands out block numbers; `address(block)` is where a block starts. It knows nothing about tensors.
 *
 * @module
 */

/** Granularity and alignment of blocks: a cache line. */
export const ALIGNMENT = 64;

const SL_BITS = 3; // 8 subdivisions per power of two: at most 12.5 % lost to rounding
const SL = 1 << SL_BITS;
const FL = 32; // 2^31 units of 64 bytes

/** Blocks up to this many units are recycled through exact-size stacks, without coalescing. */
const QUICK_UNITS = 64;
const QUICK_DEPTH = 512;

const FREE = 1;
const USED = 0;

/**
 * Blocks that must not be handed out to anybody else, even when nobody uses them any more: what a recorded sequence of
 * kernels works on. They are used again only while the sequence is being recorded.
 */
export class Hold {
  /** Blocks that belong to it. */
  readonly blocks = new Set<number>();
  /** Those of them that were freed, by size in units. */
  readonly free = new Map<number, number[]>();
}

/** A growable range of addresses cut into blocks. */
export class Allocator {
  #addr: Float64Array;
  #units: Float64Array;
  #prevPhys: Int32Array;
  #nextPhys: Int32Array;
  #prevFree: Int32Array;
  #nextFree: Int32Array;
  #state: Uint8Array;
  #unusedIds: number[] = [];
  #ids = 0;
  #bins = new Int32Array(FL * SL).fill(-1);
  #flMap = 0;
  #slMap = new Uint8Array(FL);
  #lastPhys = -1;
  #end = 0;
  #quick: number[][] = Array.from({ length: QUICK_UNITS + 1 }, () => []);

  /** Blocks that are allocated now, or freed, belong to it. */
  holding: Hold | null = null;
  /** How many holds there are: while there is one, everything stays where it is. */
  holds = 0;
  readonly #heldBy = new Map<number, Hold>();

  /** Bytes in blocks that are handed out. */
  allocated = 0;
  /** The largest `allocated` has been. */
  peak = 0;
  /** Bytes managed in all. */
  reserved = 0;
  /** How many blocks were handed out since the start. */
  allocations = 0;

  constructor() {
    const n = 1024;
    this.#addr = new Float64Array(n);
    this.#units = new Float64Array(n);
    this.#prevPhys = new Int32Array(n);
    this.#nextPhys = new Int32Array(n);
    this.#prevFree = new Int32Array(n);
    this.#nextFree = new Int32Array(n);
    this.#state = new Uint8Array(n);
  }

  /** The address of a block. */
  address(block: number): number {
    return this.#addr[block]!;
  }

  /** The size of a block in bytes: at least what was asked for. */
  sizeOf(block: number): number {
    return this.#units[block]! * ALIGNMENT;
  }

  /** Adds the addresses [start, start + bytes); merges with the previous range if they touch. */
  extend(start: number, bytes: number): void {
    const aligned = Math.ceil(start / ALIGNMENT) * ALIGNMENT;
    const units = Math.floor((start + bytes - aligned) / ALIGNMENT);
    if (units <= 0) return;
    const b = this.#newId();
    this.#addr[b] = aligned;
    this.#units[b] = units;
    this.#nextPhys[b] = -1;
    const touching = this.#lastPhys >= 0 && this.#end === aligned;
    this.#prevPhys[b] = touching ? this.#lastPhys : -1;
    if (touching) this.#nextPhys[this.#lastPhys] = b;
    this.#lastPhys = b;
    this.#end = aligned + units * ALIGNMENT;
    this.reserved += units * ALIGNMENT;
    this.#release(b);
  }

  /** A block of at least `bytes`, or -1 if no free range is large enough. */
  alloc(bytes: number): number {
    const units = bytes <= ALIGNMENT ? 1 : Math.ceil(bytes / ALIGNMENT);
    let b: number;
    if (this.holding !== null) {
      const again = this.holding.free.get(units)?.pop();
      if (again !== undefined) return again;
    }
    if (units <= QUICK_UNITS) {
      const stack = this.#quick[units]!;
      b = stack.length > 0 ? stack.pop()! : this.#take(units);
    } else b = this.#take(units);
    if (b < 0) return -1;
    if (this.holding !== null) this.#hold(b, this.holding);
    this.allocations++;
    const now = this.allocated += this.#units[b]! * ALIGNMENT;
    if (now > this.peak) this.peak = now;
    return b;
  }

  #hold(block: number, hold: Hold): void {
    hold.blocks.add(block);
    this.#heldBy.set(block, hold);
  }

  /** Begins a hold. */
  hold(): Hold {
    this.holds++;
    return this.holding = new Hold();
  }
  /** Ends a hold: its blocks are like all others again. */
  letGo(hold: Hold): void {
    this.holds--;
    if (this.holding === hold) this.holding = null;
    for (const block of hold.blocks) this.#heldBy.delete(block);
    for (const blocks of hold.free.values()) for (const block of blocks) this.free(block);
    hold.blocks.clear();
    hold.free.clear();
  }

  /** Gives a block back. */
  free(block: number): void {
    const units = this.#units[block]!;
    if (this.holding !== null || this.#heldBy.size > 0) {
      if (this.holding !== null && !this.#heldBy.has(block)) this.#hold(block, this.holding);
      const hold = this.#heldBy.get(block);
      if (hold !== undefined) {
        const same = hold.free.get(units);
        if (same === undefined) hold.free.set(units, [block]);
        else same.push(block);
        return;
      }
    }
    this.allocated -= units * ALIGNMENT;
    if (units <= QUICK_UNITS) {
      const stack = this.#quick[units]!;
      if (stack.length < QUICK_DEPTH) {
        stack.push(block);
        return;
      }
    }
    this.#release(block);
  }

  /** Merges all cached small blocks back, so that a large request may succeed. */
  flush(): void {
    for (const stack of this.#quick) {
      for (const b of stack) this.#release(b);
      stack.length = 0;
    }
  }

  /** The largest request that could be served now, in bytes. */
  largestFree(): number {
    let best = 0;
    for (let i = 0; i < this.#bins.length; i++) {
      for (let b = this.#bins[i]!; b >= 0; b = this.#nextFree[b]!) best = Math.max(best, this.#units[b]!);
    }
    return best * ALIGNMENT;
  }

  /** Free bytes in ranges that touch no used block: whole segments that a device could return. Empties them. */
  takeFreeSegments(): { address: number; bytes: number }[] {
    this.flush();
    const segments: { address: number; bytes: number }[] = [];
    for (let i = 0; i < this.#bins.length; i++) {
      for (let b = this.#bins[i]!; b >= 0;) {
        const next = this.#nextFree[b]!;
        if (this.#prevPhys[b]! < 0 && this.#nextPhys[b]! < 0) {
          segments.push({ address: this.#addr[b]!, bytes: this.sizeOf(b) });
          this.reserved -= this.sizeOf(b);
          this.#unlink(b);
          if (this.#lastPhys === b) this.#lastPhys = -1;
          this.#unusedIds.push(b);
        }
        b = next;
      }
    }
    return segments;
  }

  #newId(): number {
    const reused = this.#unusedIds.pop();
    if (reused !== undefined) return reused;
    if (this.#ids === this.#addr.length) {
      const n = this.#ids * 2;
      const grow = <T extends Float64Array | Int32Array | Uint8Array>(old: T, made: T): T => {
        made.set(old);
        return made;
      };
      this.#addr = grow(this.#addr, new Float64Array(n));
      this.#units = grow(this.#units, new Float64Array(n));
      this.#prevPhys = grow(this.#prevPhys, new Int32Array(n));
      this.#nextPhys = grow(this.#nextPhys, new Int32Array(n));
      this.#prevFree = grow(this.#prevFree, new Int32Array(n));
      this.#nextFree = grow(this.#nextFree, new Int32Array(n));
      this.#state = grow(this.#state, new Uint8Array(n));
    }
    return this.#ids++;
  }

  /** The bin of free blocks with this size: power of two and eighth. */
  #bin(units: number): number {
    if (units < SL) return units; // fl 0: exact sizes
    const fl = 31 - Math.clz32(units);
    return (fl - SL_BITS + 1) * SL + ((units >>> (fl - SL_BITS)) & (SL - 1));
  }

  #take(units: number): number {
    // Round up to the next bin, so that any block found there is large enough.
    let want = units;
    if (units >= SL) want = units + (1 << (31 - Math.clz32(units) - SL_BITS)) - 1;
    let bin = this.#bin(want);
    let fl = bin >> SL_BITS;
    let b = -1;
    const slots = this.#slMap[fl]! & (-1 << (bin & (SL - 1)));
    if (slots !== 0) {
      b = this.#bins[fl * SL + lowestBit(slots)]!;
    } else {
      const higher = fl + 1 < FL ? this.#flMap & (-1 << (fl + 1)) : 0;
      if (higher !== 0) {
        fl = lowestBit(higher);
        b = this.#bins[fl * SL + lowestBit(this.#slMap[fl]!)]!;
      } else {
        // The exact bin may still hold one that fits.
        bin = this.#bin(units);
        for (b = this.#bins[bin]!; b >= 0 && this.#units[b]! < units;) b = this.#nextFree[b]!;
        if (b < 0) return -1;
      }
    }
    this.#unlink(b);
    const rest = this.#units[b]! - units;
    if (rest > 0) {
      const tail = this.#newId();
      this.#addr[tail] = this.#addr[b]! + units * ALIGNMENT;
      this.#units[tail] = rest;
      this.#units[b] = units;
      const next = this.#nextPhys[b]!;
      this.#nextPhys[tail] = next;
      this.#prevPhys[tail] = b;
      this.#nextPhys[b] = tail;
      if (next >= 0) this.#prevPhys[next] = tail;
      else this.#lastPhys = this.#lastPhys === b ? tail : this.#lastPhys;
      this.#link(tail);
    }
    return b;
  }

  #link(b: number): void {
    const bin = this.#bin(this.#units[b]!);
    const head = this.#bins[bin]!;
    this.#state[b] = FREE;
    this.#prevFree[b] = -1;
    this.#nextFree[b] = head;
    if (head >= 0) this.#prevFree[head] = b;
    this.#bins[bin] = b;
    this.#flMap |= 1 << (bin >> SL_BITS);
    this.#slMap[bin >> SL_BITS]! |= 1 << (bin & (SL - 1));
  }

  #unlink(b: number): void {
    const prev = this.#prevFree[b]!, next = this.#nextFree[b]!;
    this.#state[b] = USED;
    if (next >= 0) this.#prevFree[next] = prev;
    if (prev >= 0) {
      this.#nextFree[prev] = next;
      return;
    }
    const bin = this.#bin(this.#units[b]!);
    this.#bins[bin] = next;
    if (next < 0) {
      const fl = bin >> SL_BITS;
      this.#slMap[fl]! &= ~(1 << (bin & (SL - 1)));
      if (this.#slMap[fl] === 0) this.#flMap &= ~(1 << fl);
    }
  }

  /** Coalesces with free neighbours and puts the result into its bin. */
  #release(b: number): void {
    const next = this.#nextPhys[b]!;
    if (next >= 0 && this.#state[next] === FREE) {
      this.#unlink(next);
      this.#absorb(b, next);
    }
    const prev = this.#prevPhys[b]!;
    if (prev >= 0 && this.#state[prev] === FREE) {
      this.#unlink(prev);
      this.#absorb(prev, b);
      b = prev;
    }
    this.#link(b);
  }

  #absorb(left: number, right: number): void {
    this.#units[left]! += this.#units[right]!;
    const after = this.#nextPhys[right]!;
    this.#nextPhys[left] = after;
    if (after >= 0) this.#prevPhys[after] = left;
    if (this.#lastPhys === right) this.#lastPhys = left;
    this.#unusedIds.push(right);
  }
}

function lowestBit(x: number): number {
  return 31 - Math.clz32(x & -x);
}
