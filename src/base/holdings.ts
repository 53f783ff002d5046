/**
 * What holds the memory, in words: for out-of-memory errors and `torch.memory_summary()`.
 *
 * @module
 */
import type { Storage } from "./storage.ts";

/** `1.50 MiB`, as PyTorch writes sizes. */
export function mib(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(2)} GiB` : `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

/** Tensors of one size. */
export interface Holding {
  readonly bytes: number;
  readonly count: number;
  /** How many of them an autograd graph (or other part of the library) holds. */
  readonly held: number;
}

/** Storages by size, those that take most together first. */
export function holdings(storages: readonly Storage[]): Holding[] {
  const bySize = new Map<number, { bytes: number; count: number; held: number }>();
  for (const s of storages) {
    let entry = bySize.get(s.nbytes);
    if (entry === undefined) bySize.set(s.nbytes, entry = { bytes: s.nbytes, count: 0, held: 0 });
    entry.count++;
    if (s.refs > 0) entry.held++;
  }
  return [...bySize.values()].sort((a, b) => b.bytes * b.count - a.bytes * a.count);
}

/** One line: how much, the largest shares, and how much of it graphs hold. */
export function describeHoldings(storages: readonly Storage[], most = 4): string {
  const all = holdings(storages), total = storages.reduce((sum, s) => sum + s.nbytes, 0);
  if (storages.length === 0) return "no tensors";
  const held = all.reduce((sum, { bytes, held }) => sum + bytes * held, 0);
  const shares = all.slice(0, most).map(({ bytes, count }) => `${count} x ${mib(bytes)}`);
  const others = all.slice(most).reduce((sum, { count }) => sum + count, 0);
  if (others > 0) shares.push(`${others} smaller`);
  return `${mib(total)} in ${storages.length} tensor${storages.length === 1 ? "" : "s"} (${
    shares.join(", ")
  })` +
    (held > 0 ? `, ${mib(held)} of them held by autograd graphs` : "");
}
