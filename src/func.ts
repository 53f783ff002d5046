/**
 * `torch.func`: composable function transforms.
 *
 * @see https://pytorch.org/docs/stable/func.html
 * @module
 */
export {
  type Argnums,
  grad,
  grad_and_value,
  type GradTransformOptions,
  hessian,
  jacfwd,
  type JacobianOptions,
  jacrev,
  jvp,
  linearize,
  vjp,
} from "./autograd/transforms.ts";
export { type Dims, vmap, type VmapOptions } from "./autograd/vmap/vmap.ts";
export { functional_call, stack_module_state } from "./nn/utils/functional_call.ts";
