/**
 * Data sets that hold all their pictures in memory, as bytes of one size.
 *
 * @module
 */
import { backendOf } from "../../backend/registry.ts";
import { type DType, float32, int64, uint8 } from "../../base/dtype.ts";
import { IndexError } from "../../base/errors.ts";
import { emptyTensor } from "../../dispatch/iterator.ts";
import { Tensor } from "../../tensor.ts";
import { Image, type ImageMode, modeOf } from "../image/image.ts";
import { isPixelwise, type TransformFunction } from "../transforms/transform.ts";
import { type Transforms, VisionDataset } from "./vision.ts";

/** Pictures (count, height, width, channels) and what they show. */
export interface ByteImages {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** For every channel the result of a pixelwise transform for each of the 256 values. */
interface PixelTable {
  readonly transform: TransformFunction;
  /** (channels, 256) */
  readonly values: Float32Array;
  readonly channels: number;
}

/** A tensor over bytes that are already those of its elements. */
function tensorOf(bytes: Uint8Array, dtype: DType, sizes: readonly number[]): Tensor {
  const backend = backendOf(null), out = emptyTensor(sizes, dtype, backend);
  if (bytes.length > 0) backend.write(out.storage.resident(), bytes);
  return out;
}

/** int64 elements of small numbers. */
function labelBytes(labels: ArrayLike<number>, indices?: readonly number[]): Uint8Array {
  const n = indices?.length ?? labels.length, words = new Int32Array(2 * n); // low and high halves
  for (let i = 0; i < n; i++) words[2 * i] = labels[indices === undefined ? i : indices[i]!]!;
  return new Uint8Array(words.buffer);
}

/**
 * Pictures and labels as bytes. `__getitem__` gives a picture of bytes, or what the transforms make of it, and its label.
 *
 * Where the transform is a chain of pixelwise ones (`ToTensor`, `Normalize`, ...) a DataLoader gets whole batches: the chain is
 * run once on a picture that has every value in every channel, and the pixels of a batch are looked up in the result. So a
 * batch has exactly the numbers that its samples would have had one by one.
 */
export class ByteImageDataset extends VisionDataset<[unknown, unknown]> {
  #source: ByteImages;
  #data: Tensor | null = null;
  #targets: Tensor | null = null;
  /** Version counters of the tensors that users were given: if one changes, somebody wrote into it. */
  #seen: [number, number] = [0, 0];
  #table: PixelTable | null = null;
  #scratch = new Float32Array(0);

  constructor(root: string | null, source: ByteImages, transforms?: Transforms) {
    super(root, transforms);
    this.#source = source;
  }

  /** Another thread makes an instance this way, then gives it the state. */
  static __new__(): object {
    const nothing = {
      images: new Uint8Array(0),
      labels: new Uint8Array(0),
      width: 1,
      height: 1,
      channels: 1,
    };
    return Reflect.construct(ByteImageDataset, [null, nothing], this) as object;
  }
  /** For worker threads: the pictures in memory that all of them share. */
  __getstate__(): { own: Record<string, unknown>; source: ByteImages } {
    const source = this.#current();
    if (!(source.images.buffer instanceof SharedArrayBuffer)) {
      const images = new Uint8Array(new SharedArrayBuffer(source.images.length));
      images.set(source.images);
      this.#source = { ...source, images };
    }
    return { own: Object.fromEntries(Object.entries(this)), source: this.#source };
  }
  __setstate__({ own, source }: { own: Record<string, unknown>; source: ByteImages }): void {
    Object.assign(this, own);
    this.#source = source;
  }

  /** All pictures: uint8 (count, height, width), with channels last where there are several. */
  get data(): Tensor {
    if (this.#data === null) {
      const { images, height, width, channels } = this.#source,
        count = images.length / (height * width * channels);
      this.#data = tensorOf(
        images,
        uint8,
        channels === 1 ? [count, height, width] : [count, height, width, channels],
      );
      this.#seen[0] = this.#data._version;
    }
    return this.#data;
  }
  set data(data: Tensor) {
    this.#data = data;
    this.#seen[0] = -1;
  }

  /** All labels: int64 (count). */
  get targets(): Tensor {
    if (this.#targets === null) {
      const { labels } = this.#source;
      this.#targets = tensorOf(labelBytes(labels), int64, [labels.length]);
      this.#seen[1] = this.#targets._version;
    }
    return this.#targets;
  }
  set targets(targets: Tensor) {
    this.#targets = targets;
    this.#seen[1] = -1;
  }

  /** The bytes, after what users did to the tensors. */
  #current(): ByteImages {
    const data = this.#data, targets = this.#targets;
    if (data !== null && data._version !== this.#seen[0]) {
      const [, height, width, channels = 1] = data.sizes as [number, number, number, number?];
      this.#source = {
        ...this.#source,
        images: data.contiguous().to_typed_array() as Uint8Array,
        height,
        width,
        channels,
      };
      this.#seen[0] = data._version;
    }
    if (targets !== null && targets._version !== this.#seen[1]) {
      this.#source = {
        ...this.#source,
        labels: Uint8Array.from(targets.to_typed_array() as BigInt64Array, Number),
      };
      this.#seen[1] = targets._version;
    }
    return this.#source;
  }

  override __len__(): number {
    return this.#current().labels.length;
  }

  /** The picture with this number as it is, without transforms. */
  image(index: number): Image {
    const { images, width, height, channels } = this.#current(), size = width * height * channels;
    return new Image(width, height, modeOf(channels), images.slice(index * size, (index + 1) * size));
  }

  override __getitem__(index: number): [unknown, unknown] {
    const n = this.length, at = index < 0 ? index + n : index;
    if (!(at >= 0 && at < n)) {
      throw new IndexError(`index ${index} is out of bounds for dimension 0 with size ${n}`);
    }
    return this.applied(this.image(at), this.#current().labels[at]!);
  }

  /** The samples with these numbers as one batch, where the transform is pixelwise; else undefined. */
  __getitems__(indices: readonly number[]): [Tensor, Tensor] | undefined {
    const { transform } = this, source = this.#current();
    if (transform === null || this.target_transform !== null || this.transforms !== null) return undefined;
    const table = !isPixelwise(transform) ? null : this.#tableOf(transform, modeOf(source.channels));
    if (table === null) return undefined;
    const { height, width } = source, shape = [indices.length, table.channels, height, width];
    const pixels = this.#look(table, source, indices);
    return [
      tensorOf(new Uint8Array(pixels.buffer, 0, pixels.byteLength), float32, shape),
      tensorOf(labelBytes(source.labels, indices), int64, [indices.length]),
    ];
  }

  /** The transform's result for every value; null if it is no float32 picture of the same shape. */
  #tableOf(transform: TransformFunction, mode: ImageMode): PixelTable | null {
    if (this.#table?.transform === transform) return this.#table;
    const every = new Image(256, 1, mode);
    for (let i = 0; i < every.data.length; i++) every.data[i] = Math.floor(i / every.channels);
    const result: unknown = transform(every);
    if (!(result instanceof Tensor) || result.dtype !== float32 || result.ndim !== 3) return null;
    const [channels, height, width] = result.sizes as [number, number, number];
    if (channels !== every.channels || height !== 1 || width !== 256) return null;
    return this.#table = {
      transform,
      channels,
      values: result.contiguous().to_typed_array() as Float32Array,
    };
  }

  #look({ values, channels }: PixelTable, source: ByteImages, indices: readonly number[]): Float32Array {
    const { images, labels: { length: count } } = source, area = source.width * source.height;
    const length = indices.length * channels * area;
    if (this.#scratch.length < length) this.#scratch = new Float32Array(length);
    const out = this.#scratch.length === length ? this.#scratch : this.#scratch.subarray(0, length);
    let put = 0;
    for (const index of indices) {
      if (!(index >= 0 && index < count)) {
        throw new IndexError(`index ${index} is out of bounds for dimension 0 with size ${count}`);
      }
      for (let c = 0; c < channels; c++) {
        const row = values.subarray(c << 8, (c + 1) << 8), end = put + area;
        let at = index * area * channels + c;
        for (; put + 4 <= end; put += 4, at += 4 * channels) { // four at a time: nearly twice as fast
          out[put] = row[images[at]!]!;
          out[put + 1] = row[images[at + channels]!]!;
          out[put + 2] = row[images[at + 2 * channels]!]!;
          out[put + 3] = row[images[at + 3 * channels]!]!;
        }
        for (; put < end; put++, at += channels) out[put] = row[images[at]!]!;
      }
    }
    return out;
  }
}
