/**
 * MNIST and its relatives: gray pictures in IDX files.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import { fileExists, gunzip, joinPath, readFile, writeFileAtomic } from "../../base/fs.ts";
import { signature } from "../../utils/signature.ts";
import type { TransformFunction } from "../transforms/transform.ts";
import { ByteImageDataset, type ByteImages } from "./byte_images.ts";
import { downloadFile, fileMd5 } from "./download.ts";
import { readImages, readLabels } from "./idx.ts";

/** Options of MNIST and its relatives. */
export interface MNISTOptions {
  /** The training set, or the test set? */
  train?: boolean;
  transform?: TransformFunction | null;
  target_transform?: TransformFunction | null;
  /** Download what is missing in `root`. */
  download?: boolean;
}
const OPTIONS = signature<MNISTOptions>("MNIST", {
  train: true,
  transform: null,
  target_transform: null,
  download: false,
});

/** A file of a data set and its checksum. */
export type Resource = readonly [name: string, md5: string];

/** No data set of this kind unpacks to more. */
const MAX_UNPACKED = 2 ** 30;

/** Reads pictures and labels that belong together. */
export function readPair(images: string, labels: string): ByteImages {
  const pictures = readImages(images), targets = readLabels(labels);
  if (pictures === undefined || targets === undefined) {
    const missing = pictures === undefined ? images : labels;
    throw new RuntimeError(
      `Dataset not found. You can use download=True to download it (there is neither ${missing} nor ${missing}.gz)`,
    );
  }
  const [count, height, width] = pictures.shape as [number, number, number];
  if (targets.shape[0] !== count) {
    throw new RuntimeError(`${images} has ${count} pictures, but ${labels} has ${targets.shape[0]} labels`);
  }
  return { images: pictures.data, labels: targets.data, height, width, channels: 1 };
}

/**
 * The handwritten digits of Y. LeCun, C. Cortes and C. Burges: 60,000 to train with and 10,000 to test with, 28x28 pixels.
 *
 * ```ts
 * const train = new datasets.MNIST("./data", { train: true, download: true, transform: new transforms.ToTensor() });
 * const [image, label] = train.__getitem__(0);
 * ```
 *
 * The files are in `<root>/MNIST/raw`, packed (`.gz`) or unpacked, as torchvision has them.
 *
 * @see https://pytorch.org/vision/stable/generated/torchvision.datasets.MNIST.html
 */
export class MNIST extends ByteImageDataset {
  /** Where the files can be had; tried in this order. */
  static mirrors: readonly string[] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
  ];
  static resources: readonly Resource[] = [
    ["train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"],
    ["train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"],
    ["t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"],
    ["t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"],
  ];
  static classes: readonly string[] = [
    "0 - zero",
    "1 - one",
    "2 - two",
    "3 - three",
    "4 - four",
    "5 - five",
    "6 - six",
    "7 - seven",
    "8 - eight",
    "9 - nine",
  ];
  /** The folder in `root`; the class's name by default. */
  static folder: string | null = null;

  readonly train: boolean;

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
  }

  /** The folder with the files. */
  static raw_folder(root: string): string {
    return joinPath(root, this.folder ?? this.name, "raw");
  }
  get raw_folder(): string {
    return this.#kind.raw_folder(this.root!);
  }
  get #kind(): typeof MNIST {
    return this.constructor as typeof MNIST;
  }

  /** The names of the classes. */
  get classes(): readonly string[] {
    return this.#kind.classes;
  }
  get class_to_idx(): Record<string, number> {
    return Object.fromEntries(this.classes.map((name, i) => [name, i]));
  }

  /** The files of a part, without `.gz`: pictures and labels. */
  protected static files(train: boolean): [images: string, labels: string] {
    const part = train ? "train" : "t10k";
    return [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`];
  }

  /** Are all files there, packed or unpacked? */
  static exists(root: string): boolean {
    return this.resources.every(([name]) => {
      const path = joinPath(this.raw_folder(root), name.replace(/\.gz$/, ""));
      return fileExists(path) || fileExists(`${path}.gz`);
    });
  }

  /** Reads the files of a part. */
  protected static read(root: string, train: boolean): ByteImages {
    const [images, labels] = this.files(train);
    return readPair(joinPath(this.raw_folder(root), images), joinPath(this.raw_folder(root), labels));
  }

  /**
   * Downloads and unpacks what is missing. Every file is verified, and appears under its name only when it is whole.
   *
   * @param options.mirrors Where to look instead of the usual places.
   */
  static download(
    root: string,
    options: {
      mirrors?: readonly string[];
      attempts?: number;
      timeout?: number;
      log?: (line: string) => void;
    } = {},
  ): void {
    if (this.exists(root)) return;
    const { mirrors = this.mirrors, ...more } = options, folder = this.raw_folder(root);
    for (const [name, md5] of this.resources) {
      const packed = joinPath(folder, name), unpacked = packed.replace(/\.gz$/, "");
      if (fileExists(unpacked)) continue;
      if (!fileExists(packed) || fileMd5(packed) !== md5) {
        downloadFile({ urls: mirrors.map((mirror) => mirror + name), path: packed, md5, ...more });
      }
      const content = gunzip(readFile(packed), packed, MAX_UNPACKED);
      writeFileAtomic(unpacked, (write) => write(content));
    }
  }

  override extra_repr(): string {
    return `Split: ${this.train ? "Train" : "Test"}`;
  }
}

/** Clothes in place of digits (H. Xiao, K. Rasul, R. Vollgraf, 2017). */
export class FashionMNIST extends MNIST {
  static override mirrors: readonly string[] = [
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ];
  static override resources: readonly Resource[] = [
    ["train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"],
    ["train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"],
    ["t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"],
    ["t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"],
  ];
  static override classes: readonly string[] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ];
}

/** Cursive Japanese letters (T. Clanuwat and others, 2018). */
export class KMNIST extends MNIST {
  static override mirrors: readonly string[] = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"];
  static override resources: readonly Resource[] = [
    ["train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"],
    ["train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"],
    ["t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"],
    ["t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"],
  ];
  static override classes: readonly string[] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];
}
