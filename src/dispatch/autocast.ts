/**
 * Autocast: while it is on, arguments of the listed operators are converted before the operator runs. What an operator is
 * made of is no longer converted, and copies of parameters are kept until the outermost autocast region ends.
 *
 * @module
 */
import { mode } from "../autograd/grad_mode.ts";
import { bfloat16, type DType, float16, float32, float64, promote_types } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { external, internal } from "../base/scope.ts";
import { Tensor } from "../tensor.ts";
import { CPU_LISTS, CUDA_LISTS, type Policy } from "./autocast_lists.ts";
import { runRow } from "./dispatcher.ts";
import { interpose, PASS } from "./interpose.ts";
import type { Row } from "./op.ts";

/** Of one kind of device. */
interface Region {
  enabled: boolean;
  dtype: DType;
  readonly lists: ReadonlyMap<string, Policy>;
}

/** The state that `src/amp` switches. */
export const autocastState = {
  cpu: { enabled: false, dtype: bfloat16, lists: CPU_LISTS } as Region,
  cuda: { enabled: false, dtype: float16, lists: CUDA_LISTS } as Region,
  cacheEnabled: true,
  nesting: 0,
  /** Parameters in the lower precision. */
  cache: new Map<Tensor, Tensor>(),
};

/** To be called after a region was switched. */
export function autocastChanged(): void {
  interpose.setCasting(autocastState.cpu.enabled || autocastState.cuda.enabled);
}

export function clearAutocastCache(): void {
  autocastState.cache.clear();
}

function hasTensor(args: readonly unknown[], type: string): boolean {
  return args.some((a) =>
    a instanceof Tensor ? a.device.type === type : Array.isArray(a) && hasTensor(a, type)
  );
}

function eligible(t: Tensor, type: string): boolean {
  return t.device.type === type && t.dtype.is_floating_point && t.dtype !== float64;
}

/** Arguments with every eligible tensor converted. */
function converted(args: readonly unknown[], type: string, convert: (t: Tensor) => Tensor): unknown[] {
  return args.map((a) => {
    if (a instanceof Tensor) return eligible(a, type) ? convert(a) : a;
    return Array.isArray(a) && a.some((x) => x instanceof Tensor) ? converted(a, type, convert) : a;
  });
}

function lowered(t: Tensor, dtype: DType): Tensor {
  if (t.dtype === dtype) return t;
  const cached = autocastState.cacheEnabled && mode.grad && t.dtype === float32 && t.requires_grad &&
    t.is_leaf;
  if (!cached) return t.to(dtype);
  let copy = autocastState.cache.get(t);
  if (copy === undefined) autocastState.cache.set(t, copy = external(() => t.to(dtype)));
  return copy;
}

function widest(args: readonly unknown[], type: string): DType {
  let found: DType = autocastState[type as "cuda"].dtype;
  const look = (a: unknown): void => {
    if (Array.isArray(a)) a.forEach(look);
    else if (a instanceof Tensor && eligible(a, type)) found = promote_types(found, a.dtype);
  };
  args.forEach(look);
  return found;
}

const BANNED = "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\n" +
  "Many models use a sigmoid layer right before the binary cross entropy layer.\n" +
  "In this case, combine the two layers using torch.nn.functional.binary_cross_entropy_with_logits\n" +
  "or torch.nn.BCEWithLogitsLoss.  binary_cross_entropy_with_logits and BCEWithLogits are\nsafe to autocast.";

/** What `policy` makes of the arguments. */
function prepared(row: Row, args: readonly unknown[], policy: Policy, type: string, dtype: DType): unknown[] {
  switch (policy) {
    case "lower":
      return converted(args, type, (t) => lowered(t, dtype));
    case "full":
      return converted(args, type, (t) => t.to(float32));
    case "widest": {
      const wide = widest(args, type);
      return converted(args, type, (t) => t.to(wide));
    }
    case "accumulate": {
      const at = row.parsed.params.findIndex((p) => p.name === "dtype"), first = args[0];
      const free = at >= 0 && (args[at] === null || args[at] === undefined);
      if (!free || !(first instanceof Tensor) || !eligible(first, type)) return args.slice();
      return args.map((a, i) => i === at ? float32 : a);
    }
    default:
      throw new RuntimeError(BANNED);
  }
}

function cast(row: Row, args: readonly unknown[], inplace: boolean): unknown {
  if (inplace) return PASS;
  const { cpu, cuda } = autocastState;
  const type = cuda.enabled && hasTensor(args, "cuda")
    ? "cuda"
    : cpu.enabled && hasTensor(args, "cpu")
    ? "cpu"
    : null;
  if (type === null) return PASS;
  const region = autocastState[type], policy = region.lists.get(row.name);
  if (policy === undefined) return PASS;
  interpose.setCasting(false);
  try {
    return internal(() => runRow(row, prepared(row, args, policy, type, region.dtype)));
  } finally {
    autocastChanged();
  }
}

interpose.cast = cast;
