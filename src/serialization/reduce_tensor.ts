/** How a tensor is written into a pickle: `torch.Tensor.__reduce_ex__` and `torch.nn.Parameter.__reduce_ex__`. */
import type { DType } from "../base/dtype.ts";
import { emptyOrderedDict } from "./from_js.ts";
import { PyGlobal, PyPersistent, PyReduce, PyTuple } from "./python_values.ts";

/** What a file says about a tensor. */
export interface TensorDescription {
  dtype: DType;
  /** The key of its storage in this file. */
  key: string;
  /** Where the storage was: "cpu", "cuda:0". */
  location: string;
  /** Elements in the storage. */
  storageNumel: number;
  offset: number;
  size: readonly number[];
  stride: readonly number[];
  requiresGrad: boolean;
  isParameter: boolean;
}

const REBUILD_TENSOR = new PyGlobal("torch._utils", "_rebuild_tensor_v2");
const REBUILD_PARAMETER = new PyGlobal("torch._utils", "_rebuild_parameter");

/** The call that makes the tensor again. */
export function reduceTensor(t: TensorDescription): PyReduce {
  const type = new PyGlobal("torch", `${t.dtype.scalarName}Storage`);
  const id = new PyTuple(["storage", type, t.key, t.location, t.storageNumel]);
  const requiresGrad = t.isParameter ? false : t.requiresGrad; // a Parameter's data has none of its own
  const tensor = new PyReduce(
    REBUILD_TENSOR,
    new PyTuple([
      new PyPersistent(id),
      t.offset,
      new PyTuple([...t.size]),
      new PyTuple([...t.stride]),
      requiresGrad,
      emptyOrderedDict(),
    ]),
  );
  return t.isParameter
    ? new PyReduce(REBUILD_PARAMETER, new PyTuple([tensor, t.requiresGrad, emptyOrderedDict()]))
    : tensor;
}
