/**
 * What all picture data sets have in common.
 *
 * @module
 */
import { envVar } from "../../base/env.ts";
import { NotImplementedError, ValueError } from "../../base/errors.ts";
import { Dataset } from "../../utils/data/dataset.ts";
import { describe, type TransformFunction } from "../transforms/transform.ts";

/** A function of a picture and its target that gives both, changed. */
// deno-lint-ignore no-explicit-any -- as with TransformFunction
export type JointTransform = (image: any, target: any) => readonly [any, any];

/** What changes samples on their way out. */
export interface Transforms {
  /** For the picture. */
  transform?: TransformFunction | null;
  /** For the target. */
  target_transform?: TransformFunction | null;
  /** For both at once; not together with the others. */
  transforms?: JointTransform | null;
}

/** `~/data` as the user's own folder. */
function expandUser(root: string): string {
  const home = root === "~" || root.startsWith("~/") ? envVar("HOME") : undefined;
  return home === undefined ? root : home + root.slice(1);
}

const indent = (text: string, head: string): string =>
  text.split("\n").map((line, i) => (i === 0 ? head : " ".repeat(head.length)) + line).join("\n");

/**
 * Base class of picture data sets: a root folder and transforms.
 *
 * @see https://pytorch.org/vision/stable/generated/torchvision.datasets.VisionDataset.html
 */
export class VisionDataset<T = unknown> extends Dataset<T> {
  root: string | null;
  transform: TransformFunction | null;
  target_transform: TransformFunction | null;
  transforms: JointTransform | null;

  constructor(
    root: string | null,
    { transform = null, target_transform = null, transforms = null }: Transforms = {},
  ) {
    super();
    if (transforms !== null && (transform !== null || target_transform !== null)) {
      throw new ValueError("Only transforms or transform/target_transform can be passed as argument");
    }
    this.root = root === null ? null : expandUser(root);
    this.transform = transform;
    this.target_transform = target_transform;
    this.transforms = transforms;
  }

  override __getitem__(_index: number): T {
    throw new NotImplementedError("");
  }

  /** A sample, changed by the transforms. */
  protected applied(image: unknown, target: unknown): [unknown, unknown] {
    if (this.transforms !== null) return [...this.transforms(image, target)];
    return [
      this.transform === null ? image : this.transform(image),
      this.target_transform === null ? target : this.target_transform(target),
    ];
  }

  /** More lines for the printed form. */
  extra_repr(): string {
    return "";
  }

  override toString(): string {
    const body = [`Number of datapoints: ${this.length}`];
    if (this.root !== null) body.push(`Root location: ${this.root}`);
    const extra = this.extra_repr();
    if (extra !== "") body.push(...extra.split("\n"));
    if (this.transforms !== null) body.push(describe(this.transforms as TransformFunction));
    else if (this.transform !== null || this.target_transform !== null) {
      body.push("StandardTransform");
      if (this.transform !== null) body.push(indent(describe(this.transform), "Transform: "));
      if (this.target_transform !== null) {
        body.push(indent(describe(this.target_transform), "Target transform: "));
      }
    }
    return [`Dataset ${this.constructor.name}`, ...body.join("\n").split("\n").map((line) => `    ${line}`)]
      .join("\n");
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}
