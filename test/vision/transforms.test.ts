import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/base/crc32.ts";
import * as torch from "../../src/mod.ts";
import { manual_seed } from "../../src/random.ts";
import type { Tensor } from "../../src/tensor.ts";
import { Image } from "../../src/vision/image/image.ts";
import type { Picture } from "../../src/vision/transforms/functional.ts";
import * as T from "../../src/vision/transforms/mod.ts";

// Recorded from torchvision 0.14.1: checksums of the results' bytes.
const image = new Image(32, 32, "RGB", Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => i * 7919));
const tensor = new T.ToTensor().forward(image);
function checksum(result: Image | Tensor): number {
  if (result instanceof Image) return crc32(result.data);
  const elements = result.contiguous().to_typed_array();
  return crc32(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
}

describe("transforms that draw at random give torchvision's pictures", () => {
  it.each<[string, T.Transform, number[]]>([
    ["RandomCrop(size=(32, 32), padding=4)", new T.RandomCrop(32, { padding: 4 }), [
      1869440879,
      464593143,
      1826848495,
      2627234727,
      574696044,
      376472230,
    ]],
    ["RandomCrop(size=(20, 24), padding=None)", new T.RandomCrop([20, 24]), [
      19303484,
      3191023497,
      3690570607,
      1904571790,
      4167092221,
      3192284782,
    ]],
    ["RandomCrop(size=(40, 40), padding=None)", new T.RandomCrop(40, null, true, 0, "reflect"), [
      3982885105,
      3573592086,
      888050823,
      4214326805,
      2481847611,
      2569865033,
    ]],
    ["RandomHorizontalFlip(p=0.5)", new T.RandomHorizontalFlip(), [
      1963470123,
      446950937,
      1963470123,
      1963470123,
      446950937,
      446950937,
    ]],
    ["RandomVerticalFlip(p=0.3)", new T.RandomVerticalFlip({ p: 0.3 }), [
      1963470123,
      595947900,
      1963470123,
      1963470123,
      595947900,
      1963470123,
    ]],
    ["RandomGrayscale(p=0.5)", new T.RandomGrayscale(0.5), [
      1963470123,
      440852026,
      1963470123,
      1963470123,
      440852026,
      440852026,
    ]],
    [
      "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)",
      new T.RandomRotation(10),
      [1963470123, 1776828945, 1412553263, 2016329309, 2533881801, 1963470123],
    ],
    [
      "RandomRotation(degrees=[-90.0, 45.0], interpolation=bilinear, expand=False, fill=9)",
      new T.RandomRotation([-90, 45], { interpolation: "bilinear", fill: 9 }),
      [2758619440, 2138349862, 3529499127, 3091653383, 86610227, 2981562963],
    ],
    [
      "RandomAffine(degrees=[-10.0, 10.0], translate=(0.1, 0.2), scale=(0.8, 1.2), shear=[-5.0, 5.0])",
      new T.RandomAffine(10, [0.1, 0.2], [0.8, 1.2], 5),
      [3880798458, 1504152910, 705892426, 3677128338, 73004267, 2237762062],
    ],
    [
      "RandomAffine(degrees=[0.0, 30.0], shear=[-5.0, 5.0, -3.0, 3.0], interpolation=bilinear)",
      new T.RandomAffine([0, 30], { shear: [-5, 5, -3, 3], interpolation: "bilinear" }),
      [1756992111, 2339531738, 3476125168, 1813524467, 3864594454, 2541552522],
    ],
    [
      "RandomResizedCrop(size=(24, 24), scale=(0.08, 1.0), ratio=(0.75, 1.3333), interpolation=bilinear), antialias=None)",
      new T.RandomResizedCrop(24),
      [2566482604, 314895003, 2373678606, 3974760802, 164309102, 875744338],
    ],
    [
      "RandomApply(\n    p=0.6\n    RandomHorizontalFlip(p=0.5)\n    Grayscale(num_output_channels=3)\n)",
      new T.RandomApply([new T.RandomHorizontalFlip(), new T.Grayscale(3)], { p: 0.6 }),
      [1600275430, 1963470123, 1963470123, 1600275430, 440852026, 440852026],
    ],
    [
      "Compose(\n    Resize(size=20, interpolation=bilinear, max_size=None, antialias=None)\n    CenterCrop(size=(16, 16))\n    Pad(padding=2, fill=0, padding_mode=constant)\n    RandomHorizontalFlip(p=0.5)\n)",
      new T.Compose([new T.Resize(20), new T.CenterCrop(16), new T.Pad(2), new T.RandomHorizontalFlip()]),
      [2136668892, 967471601, 2136668892, 2136668892, 967471601, 967471601],
    ],
  ])("%s", (text, transform, checksums) => {
    expect(String(transform)).toBe(text);
    manual_seed(7);
    expect(checksums.map(() => checksum(transform(image)))).toEqual(checksums);
  });
  it.each<[string, T.Transform, number[]]>([
    [
      "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)",
      new T.RandomErasing(),
      [1862900720, 145934455, 774882541, 1862900720, 454489320, 2027329235],
    ],
    [
      "RandomErasing(p=0.9, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=[1, 0.5, 0], inplace=False)",
      new T.RandomErasing({ p: 0.9, value: [1, 0.5, 0] }),
      [1546590495, 2335015830, 1435413804, 536808580, 458972534, 3297087236],
    ],
    ["RandomCrop(size=(32, 32), padding=4)", new T.RandomCrop(32, 4), [
      1128514536,
      693817974,
      861805415,
      439312184,
      654462733,
      3796626144,
    ]],
    ["RandomHorizontalFlip(p=0.5)", new T.RandomHorizontalFlip(), [
      1862900720,
      272665646,
      1862900720,
      1862900720,
      272665646,
      272665646,
    ]],
  ])("%s, of a tensor", (text, transform, checksums) => {
    expect(String(transform)).toBe(text);
    manual_seed(7);
    expect(checksums.map(() => checksum(transform(tensor)))).toEqual(checksums);
  });
});

describe("ToTensor and Normalize", () => {
  const every = new Image(256, 1, "L", Uint8Array.from({ length: 256 }, (_, i) => i));
  const chain = (mean: number[], std: number[]) =>
    new T.Compose([new T.ToTensor(), new T.Normalize(mean, std)]);
  it("give torchvision's floats, bit for bit", () => {
    expect(checksum(new T.ToTensor()(every))).toBe(3023629315);
    expect(checksum(chain([0.5], [0.5])(every))).toBe(3056371012);
    expect(checksum(chain([0.1307], [0.3081])(every))).toBe(2233784032);
    const colours = new Image(64, 4, "RGB", Uint8Array.from({ length: 768 }, (_, i) => i % 251));
    const t = chain([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(colours);
    expect([...t.shape]).toEqual([3, 4, 64]);
    expect(checksum(t)).toBe(89148399);
  });
  it("use the default dtype", () => {
    torch.set_default_dtype(torch.float64);
    try {
      const t = new T.ToTensor()(every);
      expect(t.dtype).toBe(torch.float64);
      expect(t.tolist()).toEqual([[Array.from({ length: 256 }, (_, i) => i / 255)]]);
    } finally {
      torch.set_default_dtype(torch.float32);
    }
  });
  it("refuse what they cannot use, in torchvision's words", () => {
    expect(() => new T.ToTensor()(5 as never)).toThrow(
      "pic should be PIL Image or ndarray. Got <class 'int'>",
    );
    expect(() => new T.Normalize([0.5], [0.5])(every as never)).toThrow(
      "img should be Tensor Image. Got <class 'Image'>",
    );
    expect(() => new T.Normalize([0.5], [0.5])(torch.zeros([1, 2, 2], { dtype: torch.uint8 }))).toThrow(
      "Input tensor should be a float tensor. Got torch.uint8.",
    );
    expect(() => new T.Normalize([0.5], [0.5])(torch.zeros([2, 2]))).toThrow(
      "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = torch.Size([2, 2])",
    );
    expect(() => new T.Normalize([0.5], [0])(torch.zeros([1, 2, 2]))).toThrow(
      "std evaluated to zero after conversion to torch.float32, leading to division by zero.",
    );
  });
  it("do not change their input, unless inplace", () => {
    const x = torch.ones([1, 2, 2]);
    new T.Normalize([0.5], [0.5])(x);
    expect(x.sum().item()).toBe(4);
    expect(new T.Normalize([1], [1], true)(x)).toBe(x);
    expect(x.sum().item()).toBe(0);
  });
});

describe("conversions", () => {
  it("scale with the range of the dtype", () => {
    const sum = (t: Tensor): number => Number(t.to(torch.float64).sum().item());
    expect(sum(new T.ConvertImageDtype(torch.uint8)(tensor))).toBe(391680);
    expect(sum(new T.ConvertImageDtype(torch.int16)(tensor))).toBe(50330112);
    const bytes = new T.PILToTensor()(image);
    expect(sum(new T.ConvertImageDtype(torch.float32)(bytes))).toBeCloseTo(1536.0000305157155, 9);
    expect(sum(new T.ConvertImageDtype(torch.int32)(bytes))).toBe(3285649981440);
    expect(() => new T.ConvertImageDtype(torch.int32)(tensor)).toThrow(
      "The cast from torch.float32 to torch.int32 cannot be performed safely.",
    );
  });
  it("make a picture of a tensor again", () => {
    expect(checksum(new T.ToPILImage()(tensor))).toBe(checksum(image));
    expect(checksum(new T.ToPILImage()(new T.PILToTensor()(image)))).toBe(checksum(image));
    expect(() => new T.ToPILImage()(torch.zeros([5, 2, 2]))).toThrow(
      "pic should not have > 4 channels. Got 5 channels.",
    );
    expect(() => new T.ToPILImage()(torch.zeros([2]))).toThrow(
      "pic should be 2/3 dimensional. Got 1 dimensions.",
    );
  });
});

describe("sizes", () => {
  it("resize tensors as torchvision does", () => {
    const sum = (t: Picture): number => (t as Tensor).to(torch.float64).sum().item() as number;
    expect(sum(new T.Resize([10, 14])(tensor))).toBeCloseTo(209.7790538072586, 4);
    expect(sum(new T.Resize([40, 50])(tensor))).toBeCloseTo(2999.5036222934723, 3);
    expect(sum(new T.Resize([10, 14], { antialias: true })(tensor))).toBeCloseTo(210.0330866575241, 4);
    expect(sum(new T.Resize([7, 7], "nearest")(tensor))).toBeCloseTo(71.0666680233553, 4);
    const bytes = sum(new T.Resize([10, 14])(tensor.mul(255).to(torch.uint8)));
    expect(Math.abs(bytes - 53503)).toBeLessThan(3); // halves may be rounded the other way
    expect(sum(new T.Grayscale()(tensor))).toBeCloseTo(511.94882291555405, 3);
  });
  it("follow the shorter side", () => {
    const size = (transform: T.Transform, width: number, height: number) =>
      (transform(new Image(width, height)) as Image).size;
    expect(size(new T.Resize(10), 30, 20)).toEqual([15, 10]);
    expect(size(new T.Resize(10), 20, 31)).toEqual([10, 15]);
    expect(size(new T.Resize(10, { max_size: 12 }), 20, 40)).toEqual([6, 12]);
    expect(size(new T.CenterCrop(50), 20, 31)).toEqual([50, 50]);
    expect(size(new T.Pad([1, 2]), 20, 31)).toEqual([22, 35]);
  });
  it("refuse impossible ones, in torchvision's words", () => {
    expect(() => new T.Resize([1, 2, 3])).toThrow("If size is a sequence, it should have 1 or 2 values");
    expect(() => new T.Resize(10, { max_size: 10 })(image)).toThrow(
      "max_size = 10 must be strictly greater than the requested size for the smaller edge size = [10]",
    );
    expect(() => new T.RandomCrop(40)(image)).toThrow(
      "Required crop size (40, 40) is larger than input image size (32, 32)",
    );
    expect(() => new T.CenterCrop([1, 2, 3])).toThrow("Please provide only two dimensions (h, w) for size.");
    expect(() => new T.Pad([1, 2, 3])).toThrow(
      "Padding must be an int or a 1, 2, or 4 element tuple, not a 3 element tuple",
    );
    expect(() => new T.Pad(1, 0, "zeros" as never)).toThrow(
      "Padding mode should be either constant, edge, reflect or symmetric",
    );
    expect(() => new T.RandomRotation(-5)).toThrow("If degrees is a single number, it must be positive.");
    expect(() => new T.RandomErasing({ scale: [0, 2] })).toThrow("Scale should be between 0 and 1");
  });
  it("crop and pad tensors as they do pictures", () => {
    const bytes = new T.PILToTensor()(image),
      same = (a: Image, b: Tensor) => expect(checksum(new T.ToPILImage()(b))).toBe(checksum(a));
    for (
      const args of [[-3, 5, 10, 10], [25, -4, 20, 8], [0, 0, 32, 32], [-5, -5, 50, 50]] as [
        number,
        number,
        number,
        number,
      ][]
    ) {
      same(T.functional.crop(image, ...args), T.functional.crop(bytes, ...args));
    }
    for (const mode of ["constant", "edge", "reflect", "symmetric"] as const) {
      same(T.functional.pad(image, [1, 2, 3, 4], 0, mode), T.functional.pad(bytes, [1, 2, 3, 4], 0, mode));
    }
    same(T.functional.center_crop(image, [11, 45]), T.functional.center_crop(bytes, [11, 45]));
    same(T.functional.vflip(image), T.functional.vflip(bytes));
  });
});

describe("functions of pictures give Pillow's bytes", () => {
  const recorded = JSON.parse(readFileSync(new URL("../fixtures/pillow.json", import.meta.url), "utf8"));
  const functions = {
    affineTransform: T.functional.affine,
    center_crop: T.functional.center_crop,
    rgb_to_grayscale: T.functional.rgb_to_grayscale,
  };
  it.each(Object.entries(functions))("%s", (op, run) => {
    const cases = recorded.cases.filter((c: { op: string }) => c.op === op);
    expect(cases.length).toBeGreaterThan(0);
    for (const { source, args, data } of cases) {
      const { size, mode, data: pixels } = recorded.sources[source];
      const picture = new Image(size[0], size[1], mode, new Uint8Array(Buffer.from(pixels, "base64")));
      const got = (run as (img: Image, ...args: unknown[]) => Image)(picture, ...args);
      expect(Buffer.from(got.data).toString("base64"), JSON.stringify([source, args])).toBe(data);
    }
  });
});

describe("printing", () => {
  it.each<[T.Transform, string]>([
    [new T.Resize([10, 20]), "Resize(size=(10, 20), interpolation=bilinear, max_size=None, antialias=None)"],
    [
      new T.Resize(256, { max_size: 300 }),
      "Resize(size=256, interpolation=bilinear, max_size=300, antialias=None)",
    ],
    [new T.Pad([1, 2], { fill: [1, 2, 3] }), "Pad(padding=(1, 2), fill=(1, 2, 3), padding_mode=constant)"],
    [new T.Grayscale(), "Grayscale(num_output_channels=1)"],
    [new T.Lambda((x) => x), "Lambda()"],
    [new T.PILToTensor(), "PILToTensor()"],
    [new T.ToPILImage("RGB"), "ToPILImage(mode=RGB)"],
    [
      new T.Compose([new T.ToTensor(), new T.Normalize([0.5], [0.5])]),
      "Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.5,))\n)",
    ],
    [
      new T.RandomErasing({ value: "random" }),
      "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=random, inplace=False)",
    ],
  ])("%s", (transform, text) => {
    expect(String(transform)).toBe(text);
  });
});

describe("pixelwise", () => {
  it("is known of chains of ToTensor, Normalize and the like, and of nothing else", () => {
    const normalize = new T.Normalize([0.5], [0.5]);
    expect(
      T.isPixelwise(new T.Compose([new T.ToTensor(), normalize, new T.ConvertImageDtype(torch.float32)])),
    ).toBe(true);
    for (
      const other of [
        new T.RandomHorizontalFlip(),
        new T.Lambda((x) => x),
        new T.Resize(5),
        (x: unknown) => x,
      ]
    ) {
      expect(T.isPixelwise(new T.Compose([new T.ToTensor(), other]))).toBe(false);
    }
  });
});
