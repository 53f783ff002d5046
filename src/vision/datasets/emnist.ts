/**
 * EMNIST: handwritten letters and digits.
 *
 * @module
 */
import { RuntimeError, ValueError } from "../../base/errors.ts";
import { fileExists, gunzip, joinPath, makeDirectory, openFile, writeFileAtomic } from "../../base/fs.ts";
import { ZipReader } from "../../serialization/zip_reader.ts";
import { signature } from "../../utils/signature.ts";
import { ByteImageDataset } from "./byte_images.ts";
import { type Download, downloadFile, fileMd5 } from "./download.ts";
import { type MNISTOptions, readPair } from "./mnist.ts";

const OPTIONS = signature<MNISTOptions>("EMNIST", {
  train: true,
  transform: null,
  target_transform: null,
  download: false,
});

const DIGITS = [..."0123456789"],
  SMALL = [..."abcdefghijklmnopqrstuvwxyz"],
  CAPITALS = SMALL.map((c) => c.toUpperCase());
/** Small letters that look like their capitals. */
const MERGED = new Set("cijklmopsuvwxyz");
const MERGED_CLASSES = [...DIGITS, ...CAPITALS, ...SMALL.filter((c) => !MERGED.has(c))];

/** The classes of each split. */
const CLASSES = {
  byclass: [...DIGITS, ...CAPITALS, ...SMALL],
  bymerge: MERGED_CLASSES,
  balanced: MERGED_CLASSES,
  letters: ["N/A", ...SMALL],
  digits: DIGITS,
  mnist: DIGITS,
} as const satisfies Record<string, readonly string[]>;
/** The ways in which EMNIST is split. */
export type EMNISTSplit = keyof typeof CLASSES;

const MAX_UNPACKED = 2 ** 30;

/**
 * Handwritten letters and digits (G. Cohen and others, 2017) in six splits: 28x28 pixels, columns and rows exchanged.
 *
 * The files are in `<root>/EMNIST/raw`.
 *
 * @see https://pytorch.org/vision/stable/generated/torchvision.datasets.EMNIST.html
 */
export class EMNIST extends ByteImageDataset {
  /** Where the archive can be had; tried in this order. */
  static mirrors: readonly string[] = [
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",
  ];
  static md5 = "58c8d27c78d21e728a6bc7b3cc06412e";

  readonly split: EMNISTSplit;
  readonly train: boolean;

  constructor(root: string, split: EMNISTSplit, ...args: [(boolean | MNISTOptions)?, ...unknown[]]) {
    if (!Object.hasOwn(CLASSES, split)) {
      throw new ValueError(
        `Unknown value '${split}' for argument split. Valid values are {${
          Object.keys(CLASSES).map((s) => `'${s}'`).join(", ")
        }}.`,
      );
    }
    const { train, transform, target_transform, download } = OPTIONS(args), kind = new.target;
    if (download) kind.download(root);
    const [images, labels] = kind.files(split, train).map((name) =>
      joinPath(kind.raw_folder(root), name)
    ) as [string, string];
    super(root, readPair(images, labels), { transform, target_transform });
    this.split = split;
    this.train = train;
  }

  static raw_folder(root: string): string {
    return joinPath(root, "EMNIST", "raw");
  }
  get classes(): readonly string[] {
    return CLASSES[this.split];
  }
  get class_to_idx(): Record<string, number> {
    return Object.fromEntries(this.classes.map((name, i) => [name, i]));
  }

  /** The files of a part, without `.gz`: pictures and labels. */
  private static files(split: EMNISTSplit, train: boolean): [images: string, labels: string] {
    const part = `emnist-${split}-${train ? "train" : "test"}`;
    return [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`];
  }

  /** Downloads the archive with all splits and unpacks it. */
  static download(
    root: string,
    options: Partial<Pick<Download, "urls" | "attempts" | "timeout" | "log" | "onProgress">> = {},
  ): void {
    const folder = this.raw_folder(root), archive = joinPath(folder, "gzip.zip");
    const names = (Object.keys(CLASSES) as EMNISTSplit[]).flatMap((
      split,
    ) => [...this.files(split, true), ...this.files(split, false)]);
    const missing = names.filter((name) =>
      !fileExists(joinPath(folder, name)) && !fileExists(joinPath(folder, `${name}.gz`))
    );
    if (missing.length === 0) return;
    if (!fileExists(archive) || fileMd5(archive) !== this.md5) {
      downloadFile({ urls: this.mirrors, path: archive, md5: this.md5, ...options });
    }
    makeDirectory(folder);
    const source = openFile(archive);
    try {
      const zip = new ZipReader(source);
      for (const name of missing) {
        const entry = zip.entries.get(`gzip/${name}.gz`);
        if (entry === undefined) throw new RuntimeError(`${archive} has no gzip/${name}.gz`);
        const content = gunzip(zip.read(entry), `${archive}: ${entry.name}`, MAX_UNPACKED);
        writeFileAtomic(joinPath(folder, name), (write) => write(content));
      }
    } finally {
      source.close();
    }
  }

  override extra_repr(): string {
    return `Split: ${this.train ? "Train" : "Test"}`;
  }
}
