/**
 * Storage: the bytes of one or more tensors, and the policy that keeps memory bounded without anybody calling
 * dispose. docs/memory.md has the reasoning; in short:
 *
 * - Inside the library bytes are freed deterministically: `scope.ts` frees the temporaries of composite operators,
 *   the autograd engine frees gradients and saved tensors (`refs` counts its holds).
 * - What a user can see cannot be freed that way. Such storages stand in a list, and when the listed bytes pass a
 *   limit the longest unused ones are evicted: copied into ArrayBuffers, which the JavaScript collector owns. A
 *   tensor that is touched again is loaded back. This works in synchronous loops, where no finalizer ever runs.
 * - Large storages are known by a WeakRef: before anything is copied, the collector is asked which of them nobody holds
 *   any more. They are also registered with a FinalizationRegistry, which frees them where the program lets macrotasks
 *   run.
 *
 * @module
 */
import type { Backend } from "./backend.ts";
import { collectGarbage, collectUnreachable } from "./collect.ts";
import { internalError, OutOfMemoryError } from "./errors.ts";
import { describeHoldings, mib } from "./holdings.ts";
import { currentScope } from "./scope.ts";

/**
 * What a listed storage counts besides its bytes. Its JavaScript objects are far smaller, but a list of some thousands
 * is as long as the collector's nursery can do with: small tensors of a longer one outlive it and cost several times
 * as much (an addition of four elements 1.7 us instead of 0.8).
 */
const OBJECT_COST = 8192;

/** Storages from this size on are registered for finalization and have a WeakRef (about 0.5 us together). */
export const ANCHOR_BYTES = 128 * 1024;

/** After this many evicted bytes the collector is asked to run (3 to 10 ms). */
const COLLECT_BYTES = 192 * 1024 * 1024;

const DEFAULT_LIMIT = 64 * 1024 * 1024;
/** As long as asking the collector takes much of the time, the limit grows up to here: more is freed each time. */
const SWEEP_LIMIT = 4 * DEFAULT_LIMIT;
/** Much of the time: more than this share of it. */
const SWEEP_SHARE = 1 / 16;
const MAX_LIMIT = 1536 * 1024 * 1024;

/** Bytes on a device, shared by a tensor and its views. */
export class Storage {
  readonly backend: Backend;
  readonly nbytes: number;
  /** Address on the device; 0 while evicted or after release. */
  ptr: number;
  block: number;
  /** When it was last used by a kernel, in launches. */
  tick: number;
  /** Holds by the library: saved tensors, gradient buffers. */
  refs = 0;
  /** May a user hold a tensor of it? */
  escaped: boolean;
  /** Is it counted in the list of evictable storages? */
  listed = false;
  /** Counts in-place writes; views share it. Note [Version counter] in autograd/saved_tensor.ts. */
  version = 0;
  /** Evicted bytes. */
  evicted: Uint8Array<ArrayBuffer> | null = null;
  /** Key in the finalization table, 0 if not registered. */
  id = 0;
  /** To the anchor of a large storage's tensors: see `anchorFor`. */
  held: WeakRef<object> | null = null;

  constructor(backend: Backend, nbytes: number, ptr: number, block: number, escaped: boolean) {
    this.backend = backend;
    this.nbytes = nbytes;
    this.ptr = ptr;
    this.block = block;
    this.tick = clock.tick;
    this.escaped = escaped;
  }

  /** The address, loading evicted bytes back first; marks the storage as used by the launch in preparation. */
  resident(): number {
    this.tick = clock.tick;
    return this.ptr !== 0 ? this.ptr : load(this);
  }

  /** Was it freed? */
  get released(): boolean {
    return this.ptr === 0 && this.evicted === null;
  }
}

/**
 * Launch counter: storages used by the launch in preparation carry its number and are never evicted by it. While
 * `busy`, a launch has begun to collect addresses.
 */
export const clock = { tick: 1, busy: false };

/** Counters for `torch.memory_stats()`. */
export const stats = { evictions: 0, evictedBytes: 0, loads: 0, loadedBytes: 0, finalized: 0, reliefs: 0 };

const young: Storage[] = [];
let youngBytes = 0;
let limit = DEFAULT_LIMIT;
let loadedSinceRelief = 0;
let lastReliefTick = 0;
let evictedSinceCollection = 0;

/** The limit on listed resident bytes, and how to set it. */
export function softLimit(): number {
  return limit;
}
export function setSoftLimit(bytes: number): void {
  limit = bytes;
}
/** Bytes in the list of evictable storages (without the per-object cost). */
export function listedStorages(): readonly Storage[] {
  return young.filter((s) => s.listed);
}

/** New uninitialised bytes on a device. */
export function allocate(backend: Backend, nbytes: number): Storage {
  // The launch before is done: its operands may go. And tensors that are filled without a launch must grow old too.
  if (!clock.busy) clock.tick++;
  let block = backend.allocator.alloc(nbytes);
  if (block < 0) block = makeRoom(backend, nbytes);
  const scope = currentScope();
  const s = new Storage(backend, nbytes, backend.allocator.address(block), block, scope === null);
  if (scope === null) {
    list(s);
    settle();
  } else scope.push(s);
  return s;
}

/** Puts a storage on the list of evictable ones. */
export function list(s: Storage): void {
  if (s.listed) return;
  s.listed = true;
  young.push(s);
  youngBytes += s.nbytes + OBJECT_COST;
}

/** Evicts if the listed bytes have passed the limit. Whoever lists storages calls it when they are all there. */
export function settle(): void {
  if (youngBytes > limit) relieve();
}

function unlist(s: Storage): void {
  if (!s.listed) return;
  s.listed = false;
  youngBytes -= s.nbytes + OBJECT_COST;
  // Released entries are dropped from the array when it has mostly dead ones.
  if (young.length > 8192 && youngBytes < (young.length >> 2) * OBJECT_COST) compact();
}

function compact(): void {
  let n = 0;
  for (let i = 0; i < young.length; i++) {
    const s = young[i]!;
    if (s.listed) young[n++] = s;
  }
  young.length = n;
}

/** Frees a storage now. Any later use is an internal error, never a read of foreign memory. */
export function release(s: Storage): void {
  if (s.id !== 0) {
    registered.delete(s.id);
    s.id = 0;
  }
  s.evicted = null;
  s.held = null;
  if (s.ptr === 0) return;
  s.backend.allocator.free(s.block);
  s.ptr = 0;
  unlist(s);
}

/** One more hold by the library. */
export function retain(s: Storage): void {
  s.refs++;
}

/** One hold less; bytes that only the library could see are freed with the last. */
export function drop(s: Storage): void {
  if (--s.refs > 0) return;
  if (!s.escaped) release(s);
  else s.tick = 0; // nobody in the library needs it: first to be evicted
}

/** The user may see tensors of this storage from now on. */
export function escape(s: Storage): void {
  if (s.escaped) return;
  s.escaped = true;
  list(s);
  settle();
}

function load(s: Storage): number {
  const bytes = s.evicted;
  if (bytes === null) throw internalError("a tensor's storage was used after it was released");
  let block = s.backend.allocator.alloc(s.nbytes);
  if (block < 0) block = makeRoom(s.backend, s.nbytes);
  s.block = block;
  s.ptr = s.backend.allocator.address(block);
  s.backend.write(s.ptr, bytes);
  s.evicted = null;
  stats.loads++;
  stats.loadedBytes += s.nbytes;
  list(s);
  // What was evicted is needed again: the working set is larger than the limit.
  loadedSinceRelief += s.nbytes + OBJECT_COST;
  if (loadedSinceRelief > limit / 8 && limit < MAX_LIMIT) {
    limit = Math.min(MAX_LIMIT, limit * 1.5);
    loadedSinceRelief = 0;
  }
  settle();
  return s.ptr;
}

function evict(s: Storage): void {
  if (s.id !== 0) {
    registered.delete(s.id);
    s.id = 0;
  }
  s.evicted = s.backend.read(s.ptr, s.nbytes);
  s.backend.allocator.free(s.block);
  s.ptr = 0;
  s.listed = false;
  youngBytes -= s.nbytes + OBJECT_COST;
  stats.evictions++;
  stats.evictedBytes += s.nbytes;
  evictedSinceCollection += s.nbytes;
}

/** Evicts listed storages that `may` allows and that were last used at or before `cutoff`, down to `target`. */
function evictUntil(target: number, cutoff: number, may: (s: Storage) => boolean): void {
  for (let i = 0; i < young.length && youngBytes > target; i++) {
    const s = young[i]!;
    if (s.listed && s.backend.allocator.holds === 0 && s.tick <= cutoff && s.tick !== clock.tick && may(s)) {
      evict(s);
    }
  }
}

/** The tick below which about `share` of the listed storages were last used, from a sample. */
function tickQuantile(share: number): number {
  const sample: number[] = [];
  const step = Math.max(1, Math.floor(young.length / 512));
  for (let i = 0; i < young.length; i += step) sample.push(young[i]!.tick);
  sample.sort((a, b) => a - b);
  return sample[Math.min(sample.length - 1, Math.floor(sample.length * share))] ?? 0;
}

const unheld = (s: Storage): boolean => s.refs === 0;
const any = (): boolean => true;

let sweepsToSkip = 0;
let nextSkip = 1;
let lastSweep = 0;

/** Asks the collector which large storages nobody holds any more and frees them. */
function sweep(): void {
  let large = 0;
  for (const s of young) if (s.listed && s.held !== null && s.refs === 0) large += s.nbytes;
  if (large < limit / 2 || sweepsToSkip-- > 0) return;
  const began = performance.now();
  if (!collectUnreachable()) {
    sweepsToSkip = Infinity;
    return;
  }
  evictedSinceCollection = 0;
  let freed = 0;
  for (const s of young.slice()) {
    // An operand of the launch in preparation may be known by its address alone.
    if (!s.listed || s.held === null || s.refs > 0 || s.tick === clock.tick) continue;
    if (s.held.deref() !== undefined) continue;
    freed += s.nbytes;
    stats.finalized++;
    release(s);
  }
  const end = performance.now();
  if (freed < large / 2) {
    // Most of it is in use: ask less and less often.
    sweepsToSkip = nextSkip;
    nextSkip = Math.min(64, 2 * nextSkip);
  } else {
    sweepsToSkip = 0;
    nextSkip = 1;
    if (end - began > SWEEP_SHARE * (end - lastSweep) && limit >= DEFAULT_LIMIT && limit < SWEEP_LIMIT) {
      limit *= 2;
    }
  }
  lastSweep = end;
}

/** Brings the listed bytes down to half of the limit, oldest use first, or raises the limit if they are in use. */
function relieve(): void {
  stats.reliefs++;
  compact();
  sweep();
  const target = limit / 2;
  for (const share of [0.6, 0.9, 1]) {
    if (youngBytes <= target) break;
    evictUntil(target, share === 1 ? clock.tick : tickQuantile(share), unheld);
  }
  // Held by a graph, but untouched for a whole round: most likely a graph that nobody will walk.
  if (youngBytes > target) evictUntil(target, lastReliefTick, any);
  if (youngBytes > limit * 0.75) limit = Math.min(MAX_LIMIT, Math.max(limit * 2, youngBytes * 1.5));
  compact();
  if (evictedSinceCollection > COLLECT_BYTES) {
    evictedSinceCollection = 0;
    collectGarbage();
  }
  lastReliefTick = clock.tick;
  loadedSinceRelief = 0;
}

/** What was last put aside to make room, for the error if that is not enough, or not the next time. */
let lastMoved = "no tensors";

/** A block, after everything has been tried; an error that says what the memory is used for if that was not enough. */
function makeRoom(backend: Backend, nbytes: number): number {
  const allocator = backend.allocator;
  if (backend.grow(nbytes)) {
    const block = allocator.alloc(nbytes);
    if (block >= 0) return block;
  }
  // Said before anything is moved: afterwards nobody could tell.
  const seen = young.filter((s) => s.listed && s.backend === backend);
  allocator.flush();
  let block = allocator.alloc(nbytes);
  for (const [cutoff, may] of [[lastReliefTick, unheld], [Infinity, unheld], [Infinity, any]] as const) {
    if (block >= 0) break;
    compact();
    evictUntil(0, cutoff, (s) => s.backend === backend && may(s));
    allocator.flush();
    block = allocator.alloc(nbytes);
  }
  const moved = seen.filter((s) => s.evicted !== null), most = backend.maxBytes;
  if (moved.length > 0) lastMoved = describeHoldings(moved);
  if (block >= 0) return block;
  throw new OutOfMemoryError(
    `${backend.device} out of memory. Tried to allocate ${mib(nbytes)} (` +
      [
        ...(most === undefined ? [] : [`${mib(most)} total capacity`]),
        `${mib(allocator.reserved)} reserved`,
        `${mib(allocator.allocated)} in use by the operation itself and what it works on`,
        `largest free range ${mib(allocator.largestFree())}`,
      ].join("; ") +
      `). To make room, everything else was put aside: ${lastMoved}. ` +
      (most !== undefined && nbytes >= most
        ? "No tensor can be larger than the capacity."
        : "If less would do: smaller batches, torch.no_grad() where no gradient is needed, or no references to " +
          "tensors that are done with."),
  );
}

/** From which size on storages get an anchor, and who else hears of it: changed while leaks are looked for. */
export const anchoring: { from: number; made: ((s: Storage) => void) | null } = {
  from: ANCHOR_BYTES,
  made: null,
};

// The held value must not reach the bytes, or they would never be collected: hence an id and a table.
const registered = new Map<number, Storage>();
let nextId = 1;
const registry = new FinalizationRegistry<number>((id) => {
  const s = registered.get(id);
  if (s === undefined) return;
  registered.delete(id);
  s.id = 0;
  stats.finalized++;
  if (s.refs === 0) release(s);
});

/**
 * An object that every tensor of a large storage holds and that the storage itself does not: when the collector
 * takes it, no tensor is left and the bytes are freed.
 */
export function anchorFor(s: Storage): object {
  const anchor = {};
  anchoring.made?.(s);
  s.held = new WeakRef(anchor);
  s.id = nextId++;
  registered.set(s.id, s);
  registry.register(anchor, s.id);
  return anchor;
}
