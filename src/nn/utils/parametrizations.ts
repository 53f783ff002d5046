/**
 * Ready-made parametrizations: `torch.nn.utils.parametrizations`.
 *
 * @module
 */
import * as linalg from "../../_gen/linalg.ts";
import { float64 } from "../../base/dtype.ts";
import { AssertionError, IndexError, NotImplementedError, ValueError } from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { normalize } from "../functional/normalization.ts";
import { Module } from "../modules/module.ts";
import { register_parametrization } from "./parametrize.ts";
import { divideBySigma, outputDim, powerIterate } from "./spectral_norm.ts";
import { asMatrix, tensorOf } from "./tensors.ts";
import { normExcept } from "./weight_norm.ts";

const MAPS = ["matrix_exp", "cayley", "householder"] as const;
type OrthogonalMap = (typeof MAPS)[number];

/** Are the columns orthonormal, up to rounding? */
function isOrthogonal(q: Tensor): boolean {
  const n = q.size(-2), k = q.size(-1);
  const identity = aten.eye(k, { dtype: q.dtype, device: q.device });
  const eps = q.dtype === float64 ? 2 ** -52 : 2 ** -23;
  return aten.allclose(q.mH.matmul(q), identity, { atol: 10 * n * eps });
}

/** The Q of a QR decomposition whose R has a positive diagonal. */
function makeOrthogonal(a: Tensor): Tensor {
  const [x, tau] = aten.geqrf(a);
  const q = linalg.householder_product(x, tau);
  return q.mul(x.diagonal(0, -2, -1).sgn().unsqueeze(-2));
}

/** Maps any matrix to one with orthonormal columns (or rows). */
class _Orthogonal extends Module {
  weight_shape: readonly number[];
  orthogonal_map: OrthogonalMap;
  declare base: Tensor | null | undefined;

  constructor(weight: Tensor, orthogonal_map: OrthogonalMap, use_trivialization: boolean) {
    super();
    if (weight.is_complex() && orthogonal_map === "householder") {
      throw new ValueError("The householder parametrization does not support complex tensors.");
    }
    this.weight_shape = weight.shape;
    this.orthogonal_map = orthogonal_map;
    if (use_trivialization) this.register_buffer("base", null);
  }

  override forward(input: Tensor): Tensor {
    const transposed = input.size(-2) < input.size(-1);
    const x = transposed ? input.mT : input;
    let q = this.orthogonal_map === "householder" ? this._householder(x) : this._exponential(x);
    if (this.base) q = this.base.matmul(q);
    return transposed ? q.mT : q;
  }

  /** By the matrix exponential of a skew-symmetric matrix, or its Cayley transform. */
  _exponential(input: Tensor): Tensor {
    const n = input.size(-2), k = input.size(-1);
    let x = input.tril();
    if (n !== k) x = aten.cat([x, x.new_zeros([...x.shape.slice(0, -1), n - k])], -1);
    const a = x.sub(x.mH);
    if (this.orthogonal_map === "matrix_exp") return aten.matrix_exp(a).narrow(-1, 0, k);
    const identity = aten.eye(n, { dtype: a.dtype, device: a.device });
    const q = linalg.solve(identity.add(a, { alpha: -0.5 }), identity.add(a, { alpha: 0.5 }));
    return q.narrow(-1, 0, k);
  }

  /** By a product of Householder reflections. */
  _householder(x: Tensor): Tensor {
    const a = x.tril(-1);
    const tau = a.mul(a).sum(-2).add(1).reciprocal().mul(2);
    // The diagonal carries signs and no gradient.
    const signs = x.diagonal(0, -2, -1).detach().trunc().unsqueeze(-2);
    return linalg.householder_product(a, tau).mul(signs);
  }

  right_inverse(value: Tensor): Tensor {
    return no_grad(() => {
      if (String([...value.shape]) !== String([...this.weight_shape])) {
        throw new ValueError(
          `Expected a matrix or batch of matrices of shape ${this.weight_shape}. Got a tensor of shape ${value.shape}.`,
        );
      }
      const transposed = value.size(-2) < value.size(-1);
      const q = transposed ? value.mT : value;
      const n = q.size(-2), k = q.size(-1);
      if (this.base === undefined) {
        if (this.orthogonal_map !== "householder") {
          throw new NotImplementedError(
            "It is not possible to assign to the matrix exponential or the Cayley parametrizations when " +
              "use_trivialization=False.",
          );
        }
        const [a, tau] = aten.geqrf(q);
        const diagonal = a.diagonal(0, -2, -1);
        diagonal.copy_(diagonal.sign().mul(tau.eq(0).to(q.dtype).mul(-2).add(1)));
        return transposed ? a.mT : a;
      }
      if (n !== k) {
        const more = aten.randn([...q.shape.slice(0, -1), n - k], { dtype: q.dtype, device: q.device });
        this.base = makeOrthogonal(aten.cat([q, more], -1));
      } else this.base = isOrthogonal(q) ? q.clone() : makeOrthogonal(q);
      const start = aten.zeros_like(value);
      start.diagonal(0, -2, -1).fill_(-1);
      return start;
    });
  }
}

function weightOf(module: Module, name: string): Tensor {
  const weight: unknown = tensorOf(module, name);
  if (!(weight instanceof Tensor)) {
    throw new ValueError(`Module '${module}' has no parameter or buffer with name '${name}'`);
  }
  return weight;
}

interface OrthogonalOptions {
  name?: string;
  orthogonal_map?: OrthogonalMap | null;
  use_trivialization?: boolean;
}
const ORTHOGONAL = signature<{ module: Module } & OrthogonalOptions>("orthogonal", {
  module: required,
  name: "weight",
  orthogonal_map: null,
  use_trivialization: true,
});
/**
 * Keeps a parameter orthogonal.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.orthogonal.html
 */
export function orthogonal<M extends Module>(
  module: M,
  name?: string | OrthogonalOptions,
  orthogonal_map?: OrthogonalMap | null | OrthogonalOptions,
  options?: OrthogonalOptions,
): M;
export function orthogonal(...args: unknown[]): Module {
  const { module, name, orthogonal_map, use_trivialization } = ORTHOGONAL(args);
  const weight = weightOf(module, name);
  if (weight.dim() < 2) {
    throw new ValueError(
      `Expected a matrix or batch of matrices. Got a tensor of ${weight.dim()} dimensions.`,
    );
  }
  const square = weight.size(-2) === weight.size(-1);
  const map = orthogonal_map ?? (square || weight.is_complex() ? "matrix_exp" : "householder");
  if (!MAPS.includes(map)) {
    throw new ValueError(
      `orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: ${map}`,
    );
  }
  return register_parametrization(module, name, new _Orthogonal(weight, map, use_trivialization), {
    unsafe: true,
  });
}

/** Divides by the largest singular value. */
class _SpectralNorm extends Module {
  dim: number;
  eps: number;
  n_power_iterations = 1;
  declare _u: Tensor;
  declare _v: Tensor;

  constructor(weight: Tensor, n_power_iterations: number, dim: number, eps: number) {
    super();
    const n = weight.dim();
    if (dim >= n || dim < -n) {
      throw new IndexError(
        `Dimension out of range (expected to be in range of [-${n}, ${n - 1}] but got ${dim})`,
      );
    }
    if (n_power_iterations <= 0) {
      throw new ValueError(
        `Expected n_power_iterations to be positive, but got n_power_iterations=${n_power_iterations}`,
      );
    }
    this.dim = dim >= 0 ? dim : dim + n;
    this.eps = eps;
    if (n < 2) return;
    this.n_power_iterations = n_power_iterations;
    no_grad(() => {
      const matrix = this._matrix(weight);
      const draw = (size: number): Tensor => matrix.new_empty([size]).normal_(0, 1);
      const u = draw(matrix.size(0)), v = draw(matrix.size(1));
      this.register_buffer("_u", normalize(u, { dim: 0, eps }));
      this.register_buffer("_v", normalize(v, { dim: 0, eps }));
      powerIterate(matrix, this._u, this._v, eps, 15, true);
    });
  }

  _matrix(weight: Tensor): Tensor {
    if (weight.dim() < 2) throw new AssertionError("");
    return asMatrix(weight, this.dim);
  }

  override forward(weight: Tensor): Tensor {
    if (weight.dim() === 1) return normalize(weight, { dim: 0, eps: this.eps });
    const matrix = this._matrix(weight);
    if (this.training) powerIterate(matrix, this._u, this._v, this.eps, this.n_power_iterations, true);
    return divideBySigma(weight, matrix, this._u, this._v);
  }

  /** The weight is taken to have been normalized. */
  right_inverse(value: Tensor): Tensor {
    return value;
  }
}

interface SpectralOptions {
  name?: string;
  n_power_iterations?: number;
  eps?: number;
  dim?: number | null;
}
const SPECTRAL = signature<{ module: Module } & SpectralOptions>("spectral_norm", {
  module: required,
  name: "weight",
  n_power_iterations: 1,
  eps: 1e-12,
  dim: null,
});
/**
 * Divides a parameter by its largest singular value.
 *
 * @see https://arxiv.org/abs/1802.05957
 */
export function spectral_norm<M extends Module>(
  module: M,
  name?: string | SpectralOptions,
  n_power_iterations?: number | SpectralOptions,
  eps?: number | SpectralOptions,
  dim?: number | null,
): M;
export function spectral_norm(...args: unknown[]): Module {
  const { module, name, n_power_iterations, eps, dim } = SPECTRAL(args);
  const weight = weightOf(module, name);
  const parametrization = new _SpectralNorm(weight, n_power_iterations, dim ?? outputDim(module), eps);
  return register_parametrization(module, name, parametrization);
}

/** The direction and the norm of a weight, and back. */
class _WeightNorm extends Module {
  dim: number;
  constructor(dim: number | null) {
    super();
    this.dim = dim ?? -1;
  }
  override forward(weight_g: Tensor, weight_v: Tensor): Tensor {
    return weight_v.mul(weight_g.div(normExcept(weight_v, this.dim)));
  }
  right_inverse(weight: Tensor): Tensor[] {
    return [normExcept(weight, this.dim), weight];
  }
}

const WEIGHT_NORM = signature<{ module: Module; name?: string; dim?: number | null }>("weight_norm", {
  module: required,
  name: "weight",
  dim: 0,
});
/**
 * Replaces a parameter by its norm (`original0`) and its direction (`original1`); dim null: one norm for the whole.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
 */
export function weight_norm<M extends Module>(
  module: M,
  name?: string | { name?: string; dim?: number | null },
  dim?: number | null | { dim?: number | null },
): M;
export function weight_norm(...args: unknown[]): Module {
  const { module, name, dim } = WEIGHT_NORM(args);
  register_parametrization(module, name, new _WeightNorm(dim), { unsafe: true });
  return module;
}
