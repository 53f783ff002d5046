/**
 * What PyTorch says where an elementwise operator has no meaning for complex numbers.
 *
 * @module
 */
import type { DType } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";

const CLAMP = "clamp is not supported for complex types";

/** Whole sentences, by formula. */
const SENTENCES: Readonly<Record<string, string>> = {
  sign: "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.",
  deg2rad: "deg2rad is not supported for complex tensors.",
  rad2deg: "rad2deg is not supported for complex tensors.",
  relu: CLAMP,
  clamp: CLAMP,
  hardtanh: CLAMP,
  ceil: "ceil is not supported for complex inputs",
  floor: "floor is not supported for complex inputs",
  trunc: "trunc is not supported for complex inputs",
  isposinf: "isposinf does not support complex inputs.",
  isneginf: "isneginf does not support complex inputs.",
  signbit: "signbit is not implemented for complex tensors.",
  maximum: "maximum not implemented for complex tensors.",
  minimum: "minimum not implemented for complex tensors.",
  fmax: "fmax not implemented for complex tensors.",
  fmin: "fmin not implemented for complex tensors.",
  heaviside: "heaviside is not yet implemented for complex tensors.",
};

/** The kernel's name in `"name" not implemented for 'ComplexFloat'`, where it is not `<formula>_cpu`. */
const KERNELS: Readonly<Record<string, string>> = {
  exp2: "exp2",
  digamma: "digamma",
  nan_to_num: "nan_to_num",
  gelu: "GeluKernelImpl",
  gelu_tanh: "GeluKernelImpl",
  mse_loss: "mse_cpu",
  smooth_l1_loss: "smooth_l1_cpu",
  expm1: "expm1_vml_cpu",
  log1p: "log1p_vml_cpu",
  erf: "erf_vml_cpu",
  erfc: "erfc_vml_cpu",
  erfinv: "erfinv_vml_cpu",
  round: "round_vml_cpu",
  lgamma: "lgamma_vml_cpu",
  i0: "i0_vml_cpu",
};

/** The error of formula `name` on a complex dtype. */
export function complexRefusal(name: string, d: DType): RuntimeError {
  return new RuntimeError(
    SENTENCES[name] ?? `"${KERNELS[name] ?? `${name}_cpu`}" not implemented for '${d.scalarName}'`,
  );
}
