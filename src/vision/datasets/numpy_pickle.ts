/** Reads the pickles of CIFAR: dicts of lists, texts and NumPy arrays of bytes, most of them written by Python 2. */
import { RuntimeError } from "../../base/errors.ts";
import { PyDict, PyGlobal, PyTuple, pyTypeName, type PyValue } from "../../serialization/python_values.ts";
import { unpickle, type UnpickleHooks } from "../../serialization/unpickler.ts";

/** An array of bytes. */
export class ByteArray {
  shape: readonly number[] = [];
  data: Uint8Array = new Uint8Array(0);

  /** Takes what `numpy.ndarray.__setstate__` does: (version, shape, dtype, is Fortran, bytes). */
  setState(state: PyValue): void {
    const [, shape, dtype, fortran, data] = state instanceof PyTuple ? state.items : [];
    if (!(shape instanceof PyTuple) || !(data instanceof Uint8Array) || !(dtype instanceof ByteType)) {
      throw new RuntimeError("a NumPy array's state is damaged");
    }
    this.shape = shape.items.map(Number);
    const count = this.shape.reduce((a, b) => a * b, 1);
    if (fortran === true || data.length !== count) {
      throw new RuntimeError(
        `a NumPy array of shape (${this.shape.join(", ")}) has ${data.length} bytes${
          fortran === true ? " in Fortran order" : ""
        }`,
      );
    }
    this.data = data;
  }
}

/** `numpy.dtype("u1")`. */
class ByteType {}

/** Text whose characters stand for bytes: how Python 3 writes bytes into a protocol 2 pickle. */
function latin1(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** What the names in these files do when they are called. */
const FUNCTIONS: Readonly<Record<string, (args: readonly PyValue[]) => PyValue>> = {
  "numpy.core.multiarray._reconstruct": () => new ByteArray(),
  "numpy._core.multiarray._reconstruct": () => new ByteArray(),
  "numpy.dtype": ([name]) => {
    if (name !== "u1") {
      throw new RuntimeError(
        `arrays of dtype ${pyTypeName(name ?? null)} '${String(name)}' are not expected here`,
      );
    }
    return new ByteType();
  },
  "_codecs.encode": ([text, encoding]) => {
    if (typeof text !== "string" || encoding !== "latin1") {
      throw new RuntimeError("_codecs.encode() is only allowed for bytes (latin1)");
    }
    return latin1(text);
  },
};
/** Names that are only passed on. */
const CLASSES = new Set(["numpy.ndarray"]);

/** Longer strings of Python 2 are the bytes of arrays. */
const LONGEST_TEXT = 1024;

const HOOKS: UnpickleHooks = {
  findGlobal(module, name) {
    const global = new PyGlobal(module, name), text = String(global);
    if (!Object.hasOwn(FUNCTIONS, text) && !CLASSES.has(text)) {
      throw new RuntimeError(`Unsupported class ${text}`);
    }
    return global;
  },
  call(callable, args) {
    const run = callable instanceof PyGlobal ? FUNCTIONS[String(callable)] : undefined;
    if (run === undefined) {
      throw new RuntimeError(`Trying to call ${pyTypeName(callable)}, which is no allowed function`);
    }
    return run(args);
  },
  build(object, state) {
    if (object instanceof ByteArray) object.setState(state);
    else if (!(object instanceof ByteType)) {
      throw new RuntimeError(`Can only build arrays, but got ${pyTypeName(object)}`);
    }
  },
  persistentLoad() {
    throw new RuntimeError("a reference to something outside");
  },
  decodeString(bytes) {
    return bytes.length > LONGEST_TEXT ? bytes.slice() : String.fromCharCode(...bytes);
  },
};

/** The dict in a pickle. */
export function unpickleDict(bytes: Uint8Array, name: string): PyDict {
  const { value } = unpickle(bytes, HOOKS, name);
  if (value instanceof PyDict) return value;
  throw new RuntimeError(`${name}: expected a dict, but got ${pyTypeName(value)}`);
}
