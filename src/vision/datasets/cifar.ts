/**
 * CIFAR-10 and CIFAR-100: small colour photographs.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import {
  fileExists,
  gunzip,
  joinPath,
  makeDirectory,
  memorySource,
  readFile,
  writeFileAtomic,
} from "../../base/fs.ts";
import { readTar } from "../../base/tar.ts";
import type { PyValue } from "../../serialization/python_values.ts";
import { signature } from "../../utils/signature.ts";
import type { TransformFunction } from "../transforms/transform.ts";
import { ByteImageDataset, type ByteImages } from "./byte_images.ts";
import { type Download, downloadFile } from "./download.ts";
import { md5 } from "./md5.ts";
import type { MNISTOptions, Resource } from "./mnist.ts";
import { ByteArray, unpickleDict } from "./numpy_pickle.ts";

const OPTIONS = signature<MNISTOptions>("CIFAR10", {
  train: true,
  transform: null,
  target_transform: null,
  download: false,
});
const SIDE = 32, AREA = SIDE * SIDE, CHANNELS = 3;
const MAX_UNPACKED = 2 ** 29;

/** The files of a data set. */
interface Files {
  /** The folder in `root`. */
  folder: string;
  archive: Resource;
  url: string;
  train: readonly Resource[];
  test: readonly Resource[];
  /** The names of the classes: the file, and the key in it. */
  meta: Resource;
  namesKey: string;
  labelsKey: string;
}

/** (count, channels, area) to (count, area, channels). */
function interleave(planes: Uint8Array, out: Uint8Array, at: number): void {
  const size = AREA * CHANNELS;
  for (let image = 0; image < planes.length; image += size) {
    for (let c = 0; c < CHANNELS; c++) {
      for (let i = 0; i < AREA; i++) out[at + image + i * CHANNELS + c] = planes[image + c * AREA + i]!;
    }
  }
}

function numbers(value: PyValue | undefined, name: string): number[] {
  if (Array.isArray(value) && value.every((n) => typeof n === "number")) return value as number[];
  throw new RuntimeError(`${name}: the labels are missing`);
}

/** A file's bytes, verified. */
function verified(
  root: string,
  { folder }: Files,
  [name, sum]: Resource,
): { path: string; bytes: Uint8Array } {
  const path = joinPath(root, folder, name),
    advice = "Dataset not found or corrupted. You can use download=True to download it";
  if (!fileExists(path)) throw new RuntimeError(`${advice} (there is no ${path})`);
  const bytes = readFile(path), got = md5(bytes);
  if (got !== sum) throw new RuntimeError(`${advice} (${path} has md5 ${got}, but ${sum} is right)`);
  return { path, bytes };
}

/**
 * The 60,000 labelled photographs of A. Krizhevsky (2009): 32x32 pixels, 10 classes.
 *
 * The files are in `<root>/cifar-10-batches-py`, as torchvision has them; they are verified before they are used.
 *
 * @see https://pytorch.org/vision/stable/generated/torchvision.datasets.CIFAR10.html
 */
export class CIFAR10 extends ByteImageDataset {
  static files: Files = {
    folder: "cifar-10-batches-py",
    url: "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    archive: ["cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"],
    train: [
      ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
      ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
      ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
      ["data_batch_4", "634d18415352ddfa80567beed471001a"],
      ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ],
    test: [["test_batch", "40351d587109b95175f43aff81a1287e"]],
    meta: ["batches.meta", "5ff9c542aee3614f3951f8cda6e48888"],
    namesKey: "label_names",
    labelsKey: "labels",
  };

  readonly train: boolean;
  readonly classes: readonly string[];

  constructor(
    root: string,
    train?: boolean | MNISTOptions,
    transform?: TransformFunction | null | MNISTOptions,
    target_transform?: TransformFunction | null | MNISTOptions,
    download?: boolean | MNISTOptions,
  );
  constructor(root: string, ...args: unknown[]) {
    const { train, transform, target_transform, download } = OPTIONS(args), kind = new.target;
    if (download) kind.download(root);
    super(root, kind.read(root, train), { transform, target_transform });
    this.train = train;
    this.classes = kind.readClasses(root);
  }

  get class_to_idx(): Record<string, number> {
    return Object.fromEntries(this.classes.map((name, i) => [name, i]));
  }

  private static read(root: string, train: boolean): ByteImages {
    const { files } = this,
      parts = (train ? files.train : files.test).map((resource) => {
        const { path, bytes } = verified(root, files, resource),
          dict = unpickleDict(bytes, path),
          data = dict.get("data");
        const labels = numbers(dict.get(files.labelsKey), path);
        if (!(data instanceof ByteArray) || data.data.length !== labels.length * AREA * CHANNELS) {
          throw new RuntimeError(`${path}: expected ${labels.length} pictures of ${AREA * CHANNELS} bytes`);
        }
        return { data: data.data, labels };
      });
    const images = new Uint8Array(parts.reduce((n, { data }) => n + data.length, 0));
    let at = 0;
    for (const { data } of parts) {
      interleave(data, images, at);
      at += data.length;
    }
    const labels = Uint8Array.from(parts.flatMap((part) => part.labels));
    return { images, labels, width: SIDE, height: SIDE, channels: CHANNELS };
  }

  private static readClasses(root: string): string[] {
    const { path, bytes } = verified(root, this.files, this.files.meta),
      names = unpickleDict(bytes, path).get(this.files.namesKey);
    if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names as string[];
    throw new RuntimeError(`${path}: the names of the classes are missing`);
  }

  /** Downloads and unpacks the files, if one is missing or wrong. */
  static download(
    root: string,
    options: Partial<Pick<Download, "urls" | "attempts" | "timeout" | "log" | "onProgress">> = {},
  ): void {
    const { files } = this, all = [...files.train, ...files.test, files.meta];
    const whole = ([name, sum]: Resource): boolean => {
      const path = joinPath(root, files.folder, name);
      return fileExists(path) && md5(readFile(path)) === sum;
    };
    if (all.every(whole)) return;
    const path = joinPath(root, files.archive[0]);
    downloadFile({ urls: [files.url], path, md5: files.archive[1], ...options });
    const content = readTar(memorySource(gunzip(readFile(path), path, MAX_UNPACKED), path));
    makeDirectory(joinPath(root, files.folder));
    for (const [name] of all) {
      const bytes = content.get(`${files.folder}/${name}`);
      if (bytes === undefined) throw new RuntimeError(`${path} has no ${files.folder}/${name}`);
      writeFileAtomic(joinPath(root, files.folder, name), (write) => write(bytes));
    }
  }

  override extra_repr(): string {
    return `Split: ${this.train ? "Train" : "Test"}`;
  }
}

/** The same with 100 classes. */
export class CIFAR100 extends CIFAR10 {
  static override files: Files = {
    folder: "cifar-100-python",
    url: "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    archive: ["cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"],
    train: [["train", "16019d7e3df5f24257cddd939b257f8d"]],
    test: [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]],
    meta: ["meta", "7973b15100ade9c7d40fb424638fde48"],
    namesKey: "fine_label_names",
    labelsKey: "fine_labels",
  };
}
