/**
 * Shuffling of pixels and channels.
 *
 * @module
 */
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { Module } from "./module.ts";

const UPSCALE = signature<{ upscale_factor: number }>("PixelShuffle", { upscale_factor: required });
/**
 * (C r^2, H, W) to (C, H r, W r)
 *
 * @see https://arxiv.org/abs/1609.05158
 * @see https://pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html
 */
export class PixelShuffle extends Module {
  upscale_factor: number;
  constructor(upscale_factor: number | { upscale_factor: number });
  constructor(...args: unknown[]) {
    super();
    this.upscale_factor = UPSCALE(args).upscale_factor;
  }
  override forward(input: Tensor): Tensor {
    return aten.pixel_shuffle(input, this.upscale_factor);
  }
  override extra_repr(): string {
    return `upscale_factor=${this.upscale_factor}`;
  }
}

const DOWNSCALE = signature<{ downscale_factor: number }>("PixelUnshuffle", { downscale_factor: required });
/**
 * (C, H r, W r) to (C r^2, H, W)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html
 */
export class PixelUnshuffle extends Module {
  downscale_factor: number;
  constructor(downscale_factor: number | { downscale_factor: number });
  constructor(...args: unknown[]) {
    super();
    this.downscale_factor = DOWNSCALE(args).downscale_factor;
  }
  override forward(input: Tensor): Tensor {
    return aten.pixel_unshuffle(input, this.downscale_factor);
  }
  override extra_repr(): string {
    return `downscale_factor=${this.downscale_factor}`;
  }
}

const GROUPS = signature<{ groups: number }>("ChannelShuffle", { groups: required });
/**
 * Interleaves the channels of groups.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ChannelShuffle.html
 */
export class ChannelShuffle extends Module {
  groups: number;
  constructor(groups: number | { groups: number });
  constructor(...args: unknown[]) {
    super();
    this.groups = GROUPS(args).groups;
  }
  override forward(input: Tensor): Tensor {
    return aten.channel_shuffle(input, this.groups);
  }
  override extra_repr(): string {
    return `groups=${this.groups}`;
  }
}
