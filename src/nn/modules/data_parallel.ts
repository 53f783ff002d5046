/**
 * `torch.nn.DataParallel`.
 *
 * @module
 */
import { Module } from "./module.ts";

/**
 * Runs a module on its own device. PyTorch splits batches over several GPUs; this has the same names, so that programs
 * and checkpoints that were made with it (`module.fc1.weight`) work, and computes on one device.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.DataParallel.html
 */
export class DataParallel<M extends Module = Module> extends Module {
  module: M;

  constructor(module: M) {
    super();
    this.module = module;
  }

  override forward(...input: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    return this.module.call(...input) as ReturnType<M["forward"]>;
  }
}
