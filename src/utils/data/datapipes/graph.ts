/**
 * Looking through a chain of pipes: setting seeds, shuffling and shares of all its parts.
 *
 * @module
 */
import { RuntimeError, warnOnce } from "../../../base/errors.ts";
import { Generator } from "../../../base/generator.ts";
import { isKeywords } from "../../signature.ts";
import { drawSeed } from "../sampler.ts";
import { IterDataPipe, MapDataPipe } from "./datapipe.ts";

/** A pipe of either kind. */
export type DataPipe = IterDataPipe | MapDataPipe;
/** The pipes that a pipe is made of, and what these are made of. */
export type DataPipeGraph = Map<DataPipe, DataPipeGraph>;

const isPipe = (x: unknown): x is DataPipe => x instanceof IterDataPipe || x instanceof MapDataPipe;

export function isIterDataPipe(x: unknown): x is IterDataPipe {
  return x instanceof IterDataPipe;
}

/** The pipes in a pipe's properties and in the lists, sets and maps there. */
function connected(pipe: DataPipe): DataPipe[] {
  const found = new Set<DataPipe>(), seen = new Set<unknown>([pipe]);
  const look = (x: unknown): void => {
    if (typeof x !== "object" || x === null || seen.has(x)) return;
    seen.add(x);
    if (isPipe(x)) found.add(x);
    else if (Array.isArray(x) || x instanceof Set) { for (const y of x) look(y); }
    else if (x instanceof Map) { for (const y of x.values()) look(y); }
    else if (isKeywords(x)) Object.values(x).forEach(look);
  };
  Object.values(pipe).forEach(look);
  return [...found];
}

/** The graph of pipes that ends in `datapipe`. */
export function traverse_dps(datapipe: DataPipe): DataPipeGraph {
  if (!isPipe(datapipe)) {
    throw new RuntimeError(`Expected \`IterDataPipe\` or \`MapDataPipe\`, but ${String(datapipe)} is found`);
  }
  const walk = (pipe: DataPipe, above: ReadonlySet<DataPipe>): DataPipeGraph => {
    if (above.has(pipe)) return new Map();
    const path = new Set(above).add(pipe);
    return new Map([[pipe, new Map(connected(pipe).flatMap((next) => [...walk(next, path)]))]]);
  };
  return walk(datapipe, new Set());
}

/** Every pipe of a graph once, from the end of the chain to its beginning. */
export function get_all_graph_pipes(graph: DataPipeGraph, seen: Set<DataPipe> = new Set()): DataPipe[] {
  const pipes: DataPipe[] = [];
  for (const [pipe, inner] of graph) {
    if (seen.has(pipe)) continue;
    seen.add(pipe);
    pipes.push(pipe, ...get_all_graph_pipes(inner, seen));
  }
  return pipes;
}

interface Settable {
  set_seed?(seed: bigint): unknown;
  set_shuffle?(shuffle: boolean): unknown;
  is_shardable?(): boolean;
  apply_sharding?(num_of_instances: number, instance_id: number): void;
}
const pipesOf = (datapipe: DataPipe): (DataPipe & Settable)[] =>
  get_all_graph_pipes(traverse_dps(datapipe)) as (DataPipe & Settable)[];

/** Gives every pipe that draws random numbers a seed drawn from `rng`. */
export function apply_random_seed<D extends DataPipe>(datapipe: D, rng: Generator): D {
  for (const pipe of pipesOf(datapipe)) if (typeof pipe.set_seed === "function") pipe.set_seed(drawSeed(rng));
  return datapipe;
}

/** The same from a seed, as workers of a DataLoader get one. */
export function applyRandomSeed(datapipe: DataPipe, seed: bigint): void {
  apply_random_seed(datapipe, new Generator().manual_seed(seed));
}

/** Switches the shufflers of a chain on or off; adds one at the end if there is none and one is wanted. */
export function apply_shuffle_settings<D extends DataPipe>(
  datapipe: D,
  shuffle: boolean | null = null,
): D | DataPipe {
  if (shuffle === null) return datapipe;
  let end: DataPipe = datapipe,
    shufflers = pipesOf(datapipe).filter((pipe) =>
      typeof pipe.set_shuffle === "function" && typeof pipe.set_seed === "function"
    );
  if (shufflers.length === 0 && shuffle) {
    warnOnce(
      "UserWarning",
      "`shuffle=True` was set, but the datapipe does not contain a `Shuffler`. Adding one at the end. Be aware that " +
        "the default buffer size might not be sufficient for your task.",
    );
    end = (datapipe as unknown as { shuffle(): DataPipe }).shuffle();
    shufflers = [end as DataPipe & Settable];
  }
  for (const shuffler of shufflers) shuffler.set_shuffle!(shuffle);
  return end;
}

/** Tells the one pipe of a chain that can be shared out which share is wanted. */
export function apply_sharding<D extends DataPipe>(
  datapipe: D,
  num_of_instances: number,
  instance_id: number,
): D {
  let applied: DataPipe | null = null;
  for (const pipe of pipesOf(datapipe)) {
    if (pipe.is_shardable?.() !== true || typeof pipe.apply_sharding !== "function") continue;
    if (applied !== null) {
      throw new RuntimeError(
        "This implementation of sharding can be only applied once per instance of DataPipeline. Already applied to " +
          `${applied} while trying to apply to ${pipe}`,
      );
    }
    pipe.apply_sharding(num_of_instances, instance_id);
    applied = pipe;
  }
  return datapipe;
}
