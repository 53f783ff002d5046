/**
 * Where the digits come from: MNIST's files if they are somewhere, a download if that works, else drawn ones.
 *
 * @module
 */
import { envVar } from "../base/env.ts";
import { hasFileSystem, joinPath } from "../base/fs.ts";
import { MNIST } from "../vision/datasets/mnist.ts";
import { SyntheticDigits } from "../vision/datasets/synthetic_digits.ts";
import { UsageError } from "./options.ts";
import type { ByteImageDataset } from "../vision/datasets/byte_images.ts";
import type { TransformFunction } from "../vision/transforms/transform.ts";

/** What to look for. */
export interface DigitsRequest {
  /** The only folder to look in; the usual ones if null. */
  data: string | null;
  /** Draw digits, whatever is there. */
  synthetic: boolean;
  /** Download what is missing, and fail if that does not work. */
  download: boolean;
  /** The seed of drawn digits. */
  seed: number;
  /** Use only the first so many pictures of each part. */
  limit: number | null;
  transform: TransformFunction;
  /** Told what happens. */
  log: (line: string) => void;
}

/** Two data sets of one kind. */
export interface Digits {
  kind: "mnist" | "synthetic";
  train: ByteImageDataset;
  test: ByteImageDataset;
}

/** Trying to download without having been asked to must not keep anybody waiting. */
const QUICK = { attempts: 1, timeout: 4000 };

/** Folders in which the files are looked for, in this order. */
function usualFolders(): string[] {
  return [envVar("TSTORCH_DATA"), "data", "../shared/data"].filter((folder): folder is string =>
    Boolean(folder)
  );
}

/** Finds, downloads or draws digits. */
export function findDigits(request: DigitsRequest): Digits {
  const { data, synthetic, download, log } = request;
  if (synthetic) return drawn(request);
  const folders = data !== null ? [data] : usualFolders(),
    found = hasFileSystem() ? folders.find((folder) => MNIST.exists(folder)) : undefined;
  if (found !== undefined) {
    log(`MNIST from ${joinPath(found, "MNIST/raw")}`);
    return read(found, request);
  }
  const target = folders[0]!;
  try {
    MNIST.download(target, download ? { log } : { ...QUICK, log: () => {} });
  } catch (error) {
    if (download) throw error;
    if (data !== null) {
      throw new UsageError(
        `--data: there are no MNIST files in ${MNIST.raw_folder(target)}, and they cannot be downloaded`,
        { cause: error },
      );
    }
    log(
      `No MNIST files in ${
        folders.join(", ")
      }, and they cannot be downloaded: drawing synthetic digits instead.`,
    );
    return drawn(request);
  }
  log(`MNIST downloaded to ${MNIST.raw_folder(target)}`);
  return read(target, request);
}

function read(root: string, { transform, limit }: DigitsRequest): Digits {
  const part = (train: boolean): MNIST => {
    const set = new MNIST(root, { train, transform });
    if (limit !== null && limit < set.length) {
      set.data = set.data.narrow(0, 0, limit);
      set.targets = set.targets.narrow(0, 0, limit);
    }
    return set;
  };
  return { kind: "mnist", train: part(true), test: part(false) };
}

function drawn({ transform, seed, limit }: DigitsRequest): Digits {
  const part = (train: boolean, most: number): SyntheticDigits =>
    new SyntheticDigits({ train, seed, transform, count: Math.min(most, limit ?? most) });
  return { kind: "synthetic", train: part(true, 60_000), test: part(false, 10_000) };
}
