/** The checkpoint fixtures, and small helpers to read them without tensors. */
import { readFileSync } from "node:fs";
import { memorySource } from "../../src/base/fs.ts";
import { readCheckpoint } from "../../src/serialization/read.ts";
import type { SavedTensor } from "../../src/serialization/saved_tensor.ts";
import { toJs } from "../../src/serialization/to_js.ts";

const folder = new URL("../fixtures/ckpt/", import.meta.url);

/** One line of index.json. */
export interface Fixture {
  file: string;
  format?: "zip" | "legacy";
  value?: unknown;
  why?: string;
}

export const fixtures: Fixture[] = JSON.parse(readFileSync(new URL("index.json", folder), "utf8"));
export const good: Fixture[] = fixtures.filter((f) => f.why === undefined);
export const bad: Fixture[] = fixtures.filter((f) => f.why !== undefined);

export function bytesOf(file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(file, folder)));
}

/** Stands for a tensor in values that are loaded without any. */
export class FakeTensor {
  readonly saved: SavedTensor;
  readonly bytes: Uint8Array;
  constructor(saved: SavedTensor) {
    this.saved = saved;
    this.bytes = saved.storage.bytes();
  }
}

/** Loads a checkpoint; its tensors are FakeTensors. */
export function loadFake(bytes: Uint8Array, name = "test.pt"): unknown {
  return toJs(readCheckpoint(memorySource(bytes, name)), (saved) => new FakeTensor(saved));
}
