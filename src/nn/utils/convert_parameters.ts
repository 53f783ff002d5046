/**
 * All parameters as one vector.
 *
 * @module
 */
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { typename } from "../../utils/typename.ts";

function checkDevices(parameters: readonly Tensor[]): void {
  const devices = new Set(parameters.map((p) => String(p.device)));
  if (devices.size > 1) {
    throw new TypeError("Found two parameters on different devices, this is currently not supported.");
  }
}

/** The parameters one after the other in one vector. */
export function parameters_to_vector(parameters: Iterable<Tensor>): Tensor {
  const list = [...parameters];
  checkDevices(list);
  return aten.cat(list.map((p) => p.view(-1)));
}

/** Makes the parameters slices of a vector: they share its memory. */
export function vector_to_parameters(vec: Tensor, parameters: Iterable<Tensor>): void {
  if (!(vec instanceof Tensor)) throw new TypeError(`expected torch.Tensor, but got: ${typename(vec)}`);
  const list = [...parameters];
  checkDevices(list);
  let offset = 0;
  for (const p of list) {
    p.data = vec.detach().narrow(0, offset, p.numel()).view_as(p);
    offset += p.numel();
  }
}
