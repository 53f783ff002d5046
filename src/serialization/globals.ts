/**
 * The names that a checkpoint may use, and what they do: PyTorch's `weights_only` list
 * (torch/_weights_only_unpickler.py) plus a few harmless builtins. Nothing here can reach the system.
 */
import { type DType, dtypes } from "../base/dtype.ts";
import { Device } from "../base/device.ts";
import { RuntimeError } from "../base/errors.ts";
import { Complex, PyFloat } from "../base/scalar.ts";
import { Size } from "../base/size.ts";
import { PyDict, PyGlobal, PySet, PyTuple, pyTypeName, type PyValue } from "./python_values.ts";
import { natural, SavedTensor, type StorageType, storageTypes, type StorageView } from "./saved_tensor.ts";
import type { UnpickleHooks } from "./unpickler.ts";

/** An allowed name that can be called. */
class Callable extends PyGlobal {
  readonly run: (args: readonly PyValue[]) => PyValue;
  constructor(module: string, name: string, run: (args: readonly PyValue[]) => PyValue) {
    super(module, name);
    this.run = run;
  }
}

/** A storage with its class, as a persistent id gives it to the rebuild functions. */
export class TypedStorage {
  readonly view: StorageView;
  readonly type: StorageType;
  constructor(view: StorageView, type: StorageType) {
    this.view = view;
    this.type = type;
  }
}

function storageArg(value: PyValue | undefined): TypedStorage {
  if (value instanceof TypedStorage) return value;
  throw new RuntimeError(`a tensor's storage must be a storage, but is ${pyTypeName(value ?? null)}`);
}

function tensorArg(value: PyValue | undefined): SavedTensor {
  if (value instanceof SavedTensor) return value;
  throw new RuntimeError(`a Parameter's data must be a tensor, but is ${pyTypeName(value ?? null)}`);
}

/** `_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata=None)`; the first version ends at stride. */
function rebuildTensor(args: readonly PyValue[]): PyValue {
  if (args.length < 4) {
    throw new RuntimeError(`_rebuild_tensor() takes at least 4 arguments, but got ${args.length}`);
  }
  const { view, type } = storageArg(args[0]);
  if (type.dtype === null) throw new RuntimeError("a tensor over an UntypedStorage does not say its dtype");
  return new SavedTensor(view, type.dtype, args[1]!, args[2]!, args[3]!, args[4] ?? false);
}

/** `_rebuild_tensor_v3(storage, storage_offset, size, stride, requires_grad, backward_hooks, dtype, metadata=None)`: the storage counts in bytes. */
function rebuildTensorV3(args: readonly PyValue[]): PyValue {
  const dtype = args[6];
  if (args.length < 7 || !isDType(dtype)) {
    throw new RuntimeError("_rebuild_tensor_v3() needs a dtype as its 7th argument");
  }
  const { view, type } = storageArg(args[0]), bytes = view.numel * (type.dtype?.itemsize ?? 1);
  const whole: StorageView = { storage: view.storage, offset: 0, numel: Math.floor(bytes / dtype.itemsize) };
  if (view.offset !== 0) throw new RuntimeError("a view of an UntypedStorage cannot be read");
  return new SavedTensor(whole, dtype, args[1]!, args[2]!, args[3]!, args[4]!);
}

const isDType = (value: PyValue | undefined): value is DType =>
  (dtypes as readonly unknown[]).includes(value);

/** `_rebuild_from_type_v2(func, type, args, state)`: a tensor with Python attributes, which are dropped. */
function rebuildFromType(args: readonly PyValue[]): PyValue {
  const [make, type, inner] = args;
  if (!(make instanceof Callable) || !(inner instanceof PyTuple)) {
    throw new RuntimeError("_rebuild_from_type_v2() got no rebuild function");
  }
  const tensor = tensorArg(make.run(inner.items));
  return type === PARAMETER ? tensor.asParameter(tensor.requiresGrad) : tensor;
}

/** Pairs from what Python's dict() takes: nothing, a dict, or a list of pairs. */
function dictFrom(args: readonly PyValue[], ordered: boolean): PyDict {
  const dict = new PyDict(ordered), source = args[0];
  if (source === undefined) return dict;
  if (source instanceof PyDict) { for (const [key, value] of source) dict.set(key, value); }
  else if (Array.isArray(source)) {
    for (const pair of source as PyValue[]) {
      const items = pair instanceof PyTuple ? pair.items : Array.isArray(pair) ? pair as PyValue[] : [];
      if (items.length !== 2) throw new RuntimeError("a dict is made of pairs");
      dict.set(items[0]!, items[1]!);
    }
  } else throw new RuntimeError(`a dict cannot be made of ${pyTypeName(source)}`);
  return dict;
}

function listArg(value: PyValue | undefined): readonly PyValue[] {
  if (value === undefined) return [];
  if (value instanceof PyTuple) return value.items;
  if (Array.isArray(value)) return value as PyValue[];
  throw new RuntimeError(`expected a list, but got ${pyTypeName(value)}`);
}

function numberArg(value: PyValue | undefined): number {
  if (value instanceof PyFloat) return value.value;
  if (typeof value === "number") return value;
  throw new RuntimeError(`expected a number, but got ${pyTypeName(value ?? null)}`);
}

/** Python 3 writes bytes into a protocol 2 pickle as text, one character for each byte. */
function encodeLatin1(args: readonly PyValue[]): PyValue {
  const [text, encoding] = args;
  if (typeof text !== "string" || encoding !== "latin1") {
    throw new RuntimeError("_codecs.encode() is only allowed for bytes (latin1)");
  }
  return Uint8Array.from(text, (c) => {
    const code = c.charCodeAt(0);
    if (code > 255) throw new RuntimeError("a byte beyond 255");
    return code;
  });
}

const PARAMETER = new Callable(
  "torch.nn.parameter",
  "Parameter",
  ([data, grad]) => tensorArg(data).asParameter(grad !== false),
);
/** Classes that are only named, never called: `_rebuild_from_type_v2` and the tar format say what class a tensor had. */
const tensorTypes = [
  new PyGlobal("torch", "Tensor"),
  ...dtypes.map((d) => new PyGlobal("torch", `${d.scalarName}Tensor`)),
];

const callables: Callable[] = [
  PARAMETER,
  new Callable("collections", "OrderedDict", (args) => dictFrom(args, true)),
  new Callable("collections", "Counter", (args) => dictFrom(args, false)),
  new Callable(
    "torch",
    "Size",
    ([sizes]) => Size.fromArray(listArg(sizes).map((n) => natural(n, "a torch.Size's entry"))),
  ),
  new Callable("torch", "device", ([type, index]) => {
    if (typeof type !== "string") {
      throw new RuntimeError(`a device's type must be a str, but is ${pyTypeName(type ?? null)}`);
    }
    return new Device(
      type,
      index === undefined || index === null ? null : natural(index, "a device's index"),
    );
  }),
  new Callable("torch._utils", "_rebuild_tensor", rebuildTensor),
  new Callable("torch._utils", "_rebuild_tensor_v2", rebuildTensor),
  new Callable("torch._utils", "_rebuild_tensor_v3", rebuildTensorV3),
  new Callable(
    "torch._utils",
    "_rebuild_parameter",
    ([data, grad]) => tensorArg(data).asParameter(grad === true),
  ),
  new Callable(
    "torch._utils",
    "_rebuild_parameter_with_state",
    ([data, grad]) => tensorArg(data).asParameter(grad === true),
  ),
  new Callable("torch._tensor", "_rebuild_from_type_v2", rebuildFromType),
  new Callable("_codecs", "encode", encodeLatin1),
];
for (const builtins of ["builtins", "__builtin__"]) {
  callables.push(
    new Callable(builtins, "set", ([items]) => new PySet(listArg(items))),
    new Callable(builtins, "frozenset", ([items]) => new PySet(listArg(items))),
    new Callable(builtins, "bytes", () => new Uint8Array()), // written for empty bytes only
    new Callable(builtins, "bytearray", ([bytes]) => bytes instanceof Uint8Array ? bytes : new Uint8Array()),
    new Callable(builtins, "complex", ([re, im]) => new Complex(numberArg(re), numberArg(im ?? 0))),
  );
}

const allowed = new Map<string, PyValue>([
  ...callables.map((c) => [c.toString(), c] as const),
  ...dtypes.map((d) => [`torch.${d.name}`, d] as const),
  ...[...storageTypes].flatMap(([name, type]) => [
    [`torch.${name}`, type] as const,
    [`torch.cuda.${name}`, type] as const, // written by PyTorch before 0.4
    [`torch.storage.${name}`, type] as const,
  ]),
  ...tensorTypes.map((type) => [type.toString(), type] as const),
  ["torch.nn.Parameter", PARAMETER],
]);

/**
 * The hooks by which `unpickle` builds plain data and tensors; the file format adds what a persistent id means. With
 * `inlineStorages` a rebuild function may be given the persistent id itself, as some writers of the tar format do.
 */
export function weightsOnly(
  persistentLoad: (id: PyValue) => PyValue,
  { inlineStorages = false }: { inlineStorages?: boolean } = {},
): UnpickleHooks {
  return {
    persistentLoad,
    findGlobal(module, name) {
      const found = allowed.get(`${module}.${name}`);
      if (found !== undefined) return found;
      throw new RuntimeError(
        `Unsupported class ${module}.${name}: only tensors and plain data are loaded, never other objects or calls ` +
          `(save a model's state_dict(), not the model itself)`,
      );
    },
    call(callable, args) {
      if (callable instanceof Callable) {
        const inline = inlineStorages && args[0] instanceof PyTuple &&
          callable.name.startsWith("_rebuild_tensor");
        return callable.run(inline ? [persistentLoad(args[0]!), ...args.slice(1)] : args);
      }
      throw new RuntimeError(`Trying to call ${pyTypeName(callable)}, which is no allowed function`);
    },
    build(object, state) {
      if (object instanceof PyDict && object.ordered && state instanceof PyDict) object.attributes = state;
      else if (!(object instanceof SavedTensor)) {
        throw new RuntimeError(
          `Can only build Tensor, parameter or dict objects, but got ${pyTypeName(object)}`,
        );
      }
    },
  };
}
