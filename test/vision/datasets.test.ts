import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";
import { DataLoader, Subset } from "../../src/utils/data/mod.ts";
import { default_collate } from "../../src/utils/data/collate.ts";
import { crc32 } from "../../src/base/crc32.ts";
import { drawDigits, stylesPerDigit } from "../../src/vision/datasets/_render.ts";
import { ZipWriter } from "../../src/serialization/zip_writer.ts";
import { md5 } from "../../src/vision/datasets/md5.ts";
import {
  ByteImageDataset,
  EMNIST,
  FashionMNIST,
  MNIST,
  SyntheticDigits,
} from "../../src/vision/datasets/mod.ts";
import { VisionDataset } from "../../src/vision/datasets/vision.ts";
import { Image } from "../../src/vision/image/image.ts";
import * as T from "../../src/vision/transforms/mod.ts";

const root = mkdtempSync(join(tmpdir(), "datasets-"));
afterAll(() => rmSync(root, { recursive: true }));

function idx(shape: number[], data: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  head.setUint32(0, 0x800 | shape.length);
  shape.forEach((n, i) => head.setUint32(4 + 4 * i, n));
  return new Uint8Array(Buffer.concat([new Uint8Array(head.buffer), data]));
}
/** Writes a small data set and gives its pictures and labels. */
function make(
  folder: string,
  { train = 20, test = 6, packed = false, labels = train }: {
    train?: number;
    test?: number;
    packed?: boolean;
    labels?: number;
  } = {},
) {
  const raw = join(root, folder, "MNIST", "raw");
  mkdirSync(raw, { recursive: true });
  const put = (name: string, bytes: Uint8Array) =>
    writeFileSync(join(raw, packed ? `${name}.gz` : name), packed ? gzipSync(bytes) : bytes);
  const pictures = Uint8Array.from({ length: train * 12 }, (_, i) => i * 89),
    digits = Uint8Array.from({ length: labels }, (_, i) => (i * 7) % 10);
  put("train-images-idx3-ubyte", idx([train, 3, 4], pictures));
  put("train-labels-idx1-ubyte", idx([labels], digits));
  put("t10k-images-idx3-ubyte", idx([test, 3, 4], pictures.subarray(0, test * 12)));
  put("t10k-labels-idx1-ubyte", idx([test], digits.subarray(0, test)));
  return { root: join(root, folder), pictures, digits };
}
const normalized = () => new T.Compose([new T.ToTensor(), new T.Normalize([0.5], [0.25])]);

describe("MNIST", () => {
  const small = make("small");
  it.each([["unpacked", small], ["packed", make("packed", { packed: true })]])(
    "reads %s files",
    (_, { root, pictures, digits }) => {
      const train = new MNIST(root), test = new MNIST(root, { train: false });
      expect([train.length, test.length]).toEqual([20, 6]);
      const [image, label] = train.__getitem__(3) as [Image, number];
      expect(image).toBeInstanceOf(Image);
      expect([image.size, [...image.data], label]).toEqual([
        [4, 3],
        [...pictures.subarray(36, 48)],
        digits[3],
      ]);
      expect((train.__getitem__(-1) as [Image, number])[1]).toBe(digits[19]);
      expect(() => train.__getitem__(20)).toThrow("index 20 is out of bounds for dimension 0 with size 20");
      expect([train.data.dtype, [...train.data.shape], train.targets.dtype]).toEqual([
        torch.uint8,
        [20, 3, 4],
        torch.int64,
      ]);
      expect(train.targets.tolist()).toEqual([...digits]);
      expect(train.class_to_idx["3 - three"]).toBe(3);
    },
  );
  it("applies transforms", () => {
    const set = new MNIST(small.root, true, (image: Image) => image.width, (label: number) => -label);
    expect(set.__getitem__(1)).toEqual([4, -7]);
    expect(() => new VisionDataset(null, { transform: (x) => x, transforms: (a, b) => [a, b] })).toThrow(
      "Only transforms or transform/target_transform can be passed as argument",
    );
  });
  it("prints as torchvision's", () => {
    expect(String(new MNIST(small.root, { transform: normalized(), train: false }))).toBe([
      "Dataset MNIST",
      "    Number of datapoints: 6",
      `    Root location: ${small.root}`,
      "    Split: Test",
      "    StandardTransform",
      "    Transform: Compose(",
      "                   ToTensor()",
      "                   Normalize(mean=(0.5,), std=(0.25,))",
      "               )",
    ].join("\n"));
  });
  it("says what is missing", () => {
    expect(() => new MNIST(join(root, "nowhere"))).toThrow(
      "Dataset not found. You can use download=True to download it",
    );
    expect(() => new FashionMNIST(small.root)).toThrow("FashionMNIST/raw/train-images-idx3-ubyte");
  });
  it("refuses files that do not belong together", () => {
    const { root } = make("mismatch", { labels: 19 });
    expect(() => new MNIST(root)).toThrow(/has 20 pictures, but .*train-labels-idx1-ubyte has 19 labels/);
  });
  it("downloads nothing that is there, and names every place that failed", () => {
    new MNIST(small.root, { download: true });
    const lines: string[] = [];
    expect(() =>
      MNIST.download(join(root, "empty"), {
        mirrors: ["http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"],
        attempts: 1,
        log: (line) => void lines.push(line),
      })
    )
      .toThrow(
        /^Error downloading train-images-idx3-ubyte\.gz\n {2}http:\/\/127\.0\.0\.1:9\/a\/train-images-idx3-ubyte\.gz: .+\n {2}http:\/\/127\.0\.0\.1:9\/b\//,
      );
    expect(lines.length).toBe(4);
    expect(existsSync(join(root, "empty"))).toBe(false);
  });
  it("reads again what users wrote into data and targets", () => {
    const set = new MNIST(small.root);
    set.data.select(0, 2).fill_(9);
    set.targets.fill_(4);
    const [image, label] = set.__getitem__(2) as [Image, number];
    expect([[...new Set(image.data)], label]).toEqual([[9], 4]);
    set.data = torch.ones([5, 2, 2], { dtype: torch.uint8 });
    set.targets = torch.tensor(BigInt64Array.of(1n, 2n, 3n, 4n, 5n));
    expect(set.length).toBe(5);
    expect((set.__getitem__(4) as [Image, number])[0].size).toEqual([2, 2]);
    expect(set.__getitem__(4)[1]).toBe(5);
  });
});

describe("EMNIST", () => {
  const raw = join(root, "emnist", "EMNIST", "raw");
  mkdirSync(raw, { recursive: true });
  const names = ["byclass", "bymerge", "balanced", "letters", "digits", "mnist"].flatMap((split) =>
    ["train", "test"].flatMap((
      part,
    ) => [`emnist-${split}-${part}-images-idx3-ubyte`, `emnist-${split}-${part}-labels-idx1-ubyte`])
  );
  const parts: Uint8Array[] = [], zip = new ZipWriter((bytes) => void parts.push(bytes.slice()));
  for (const name of names) {
    const bytes = name.includes("images")
      ? idx([2, 3, 4], new Uint8Array(24).fill(name.length))
      : idx([2], Uint8Array.of(1, 26));
    zip.add(`gzip/${name}.gz`, new Uint8Array(gzipSync(bytes)));
  }
  zip.finish();
  const archive = new Uint8Array(Buffer.concat(parts));
  class Small extends EMNIST {}
  Small.md5 = md5(archive);

  it("unpacks its archive and reads each split", () => {
    writeFileSync(join(raw, "gzip.zip"), archive);
    const letters = new Small(join(root, "emnist"), "letters", { download: true });
    expect([letters.length, letters.classes.length, letters.classes[26]]).toEqual([2, 27, "z"]);
    expect(letters.targets.tolist()).toEqual([1, 26]);
    expect(new EMNIST(join(root, "emnist"), "bymerge", { train: false }).classes.join("")).toBe(
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt",
    );
    expect(new EMNIST(join(root, "emnist"), "byclass").classes.length).toBe(62);
  });
  it("knows its splits", () => {
    expect(() => new EMNIST(root, "capitals" as never)).toThrow(
      "Unknown value 'capitals' for argument split. Valid values are {'byclass', 'bymerge', 'balanced', 'letters', 'digits', 'mnist'}.",
    );
  });
});

describe("whole batches", () => {
  const { root } = make("batches");
  const same = (got: unknown, want: unknown) => {
    const [x, y] = got as [Tensor, Tensor], [a, b] = want as [Tensor, Tensor];
    expect([x.dtype, [...x.shape], y.dtype, [...y.shape]]).toEqual([a.dtype, [...a.shape], b.dtype, [
      ...b.shape,
    ]]);
    expect(x.flatten().tolist()).toEqual(a.flatten().tolist());
    expect(y.tolist()).toEqual(b.tolist());
  };
  it("are what their samples make", () => {
    const set = new MNIST(root, { transform: normalized() }), indices = [3, 0, 19, 3, 7];
    same(set.__getitems__(indices), default_collate(indices.map((i) => set.__getitem__(i))));
    same(set.__getitems__([1]), default_collate([set.__getitem__(1)]));
  });
  it("are what their samples make, with colours", () => {
    const images = Uint8Array.from({ length: 4 * 5 * 3 * 3 }, (_, i) => i * 31),
      labels = Uint8Array.of(1, 2, 3, 255);
    const transform = new T.Compose([
      new T.ToTensor(),
      new T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]);
    const set = new ByteImageDataset(null, { images, labels, width: 5, height: 3, channels: 3 }, {
      transform,
    });
    same(set.__getitems__([2, 3, 0]), default_collate([2, 3, 0].map((i) => set.__getitem__(i))));
    expect([...set.data.shape]).toEqual([4, 3, 5, 3]);
  });
  it("are not made where a transform looks at more than a pixel, or at the label", () => {
    expect(new MNIST(root).__getitems__([1])).toBeUndefined();
    expect(
      new MNIST(root, { transform: new T.Compose([new T.RandomHorizontalFlip(), new T.ToTensor()]) })
        .__getitems__([1]),
    ).toBeUndefined();
    expect(new MNIST(root, { transform: new T.ToTensor(), target_transform: (y) => y }).__getitems__([1]))
      .toBeUndefined();
    expect(new MNIST(root, { transform: new T.PILToTensor() }).__getitems__([1])).toBeUndefined();
  });
  it("follow a change of the transform", () => {
    const set = new MNIST(root, { transform: new T.ToTensor() });
    set.__getitems__([1]);
    set.transform = normalized();
    same(set.__getitems__([1]), default_collate([set.__getitem__(1)]));
  });
  it("refuse numbers that are not there", () => {
    expect(() => new MNIST(root, { transform: new T.ToTensor() }).__getitems__([0, 20])).toThrow(
      "index 20 is out of bounds",
    );
  });
  it("come out of a DataLoader, also through a Subset", () => {
    const set = new MNIST(root, { transform: normalized() }),
      one = { transform: (image: Image) => normalized()(image) };
    const slow = new MNIST(root, one);
    for (
      const [fast, plain] of [[set, slow], [new Subset(set, [5, 1, 8]), new Subset(slow, [5, 1, 8])]] as const
    ) {
      const batches = [...new DataLoader(fast, { batch_size: 8 })],
        want = [...new DataLoader(plain, { batch_size: 8 })];
      expect(batches.length).toBe(want.length);
      batches.forEach((batch, i) => same(batch, want[i]));
    }
  });
});

describe("SyntheticDigits", () => {
  it("are the same everywhere and always", () => {
    const { images, labels } = drawDigits(500, 0, 0);
    expect([crc32(images), crc32(labels)]).toEqual([4111984000, 4108936911]);
  });
  it("depend on seed, part and number alone", () => {
    const long = drawDigits(50, 3, 0),
      short = drawDigits(20, 3, 0),
      seed = drawDigits(20, 4, 0),
      part = drawDigits(20, 3, 1);
    expect([...short.images]).toEqual([...long.images.subarray(0, 20 * 784)]);
    for (const other of [seed, part]) expect([...other.images]).not.toEqual([...short.images]);
  });
  it("show all classes about equally, as ink on black", () => {
    const { images, labels } = drawDigits(5000, 1, 0), counts = new Array<number>(10).fill(0);
    for (const label of labels) counts[label]!++;
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(100);
    const mean = images.reduce((a, b) => a + b, 0) / images.length / 255;
    expect(mean).toBeGreaterThan(0.08);
    expect(mean).toBeLessThan(0.16);
    for (let i = 0; i < 5000; i++) {
      expect(Math.max(...images.subarray(i * 784, (i + 1) * 784))).toBeGreaterThan(150);
    }
    expect(stylesPerDigit).toEqual(new Array(10).fill(3));
  });
  it("come as a data set", () => {
    const set = new SyntheticDigits({ train: false, count: 7, seed: 5, transform: new T.ToTensor() });
    expect(set.length).toBe(7);
    const [x, y] = set.__getitems__([0, 6])!;
    expect([[...x.shape], [...y.shape]]).toEqual([[2, 1, 28, 28], [2]]);
    expect(String(set)).toBe(
      "Dataset SyntheticDigits\n    Number of datapoints: 7\n    Split: Test\n    StandardTransform\n    Transform: ToTensor()",
    );
    expect(() => new SyntheticDigits({ count: -1 })).toThrow(
      "expected count to be a whole number, but got -1",
    );
  });
});
