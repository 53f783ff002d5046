import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import * as torch from "../src/mod.ts";
import { Parameter } from "../src/nn/parameter.ts";
import { load, save, save_to_bytes } from "../src/serialization.ts";
import type { Tensor } from "../src/tensor.ts";
import { bytesOf, good } from "./serialization/fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "serialization-"));
afterAll(() => rmSync(folder, { recursive: true }));
const again = <T>(value: T): T => load<T>(save_to_bytes(value));

const python = process.env["PYTHON"] ?? "python3";
const hasTorch = spawnSync(python, ["-c", "import torch"]).status === 0;
/** Runs Python with PyTorch and returns what it prints. */
function runPython(code: string, ...args: string[]): string {
  const run = spawnSync(python, ["-c", code, ...args], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout.trim();
}

describe("torch.save", () => {
  it("writes PyTorch's files byte for byte", () => {
    const same = good.filter((f) => f.format === "zip" && f.file !== "protocol4.pt"); // written with another pickle protocol
    for (const { file } of same) {
      const path = join(folder, file);
      save(load(bytesOf(file)), path);
      expect(readFileSync(path).equals(bytesOf(file)), file).toBe(true);
    }
  });
  it("takes a path, a file: URL or anything with write()", () => {
    const value = { a: torch.tensor([1, 2]) }, parts: Uint8Array[] = [];
    save(value, join(folder, "x.pth"));
    save(value, pathToFileURL(join(folder, "y z.pth")));
    save(value, { write: (bytes) => void parts.push(bytes) });
    expect(Buffer.concat(parts).equals(save_to_bytes(value))).toBe(true);
    for (const file of [join(folder, "x.pth"), pathToFileURL(join(folder, "y z.pth"))]) {
      expect(load<typeof value>(file).a.tolist()).toEqual([1, 2]);
    }
    expect(() => save(value, 5 as never)).toThrow(
      "save(): expected a path or an object with write(bytes), but got number",
    );
  });
  it("leaves the old file and nothing else behind when it fails", () => {
    const path = join(folder, "old.pth"), before = readdirSync(folder);
    writeFileSync(path, "old");
    expect(() => save({ ok: torch.ones([3]), no: () => 1 }, path)).toThrow("the value.no is a function");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder).sort()).toEqual([...before, "old.pth"].sort());
  });
  it("refuses views of different types of the same memory, as PyTorch does", () => {
    const x = torch.zeros([4], { dtype: torch.int32 });
    expect(() => save_to_bytes([x, x.view(torch.float32)])).toThrow(
      "Cannot save multiple tensors or storages that view the same data as different types",
    );
  });
  it("refuses meta tensors", () => {
    expect(() => save_to_bytes(torch.empty([2], { device: "meta" }))).toThrow(
      "a meta tensor has no data to save",
    );
  });
});

describe("torch.load", () => {
  it("gives back every dtype", () => {
    for (
      const dtype of [
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
      ]
    ) {
      const t = torch.tensor([[1, 0], [3, 1]]).to(dtype), got = again(t);
      expect(got.dtype).toBe(dtype);
      expect(got.tolist()).toEqual(t.tolist());
    }
  });
  it("keeps views, their strides and what they share", () => {
    const base = torch.arange(12).reshape([3, 4]),
      got = again({ base, column: base.select(1, 2), t: base.t(), other: base.clone() });
    expect([got.t.stride(), got.column.storage_offset()]).toEqual([[1, 4], 2]);
    got.base.fill_(7);
    expect(got.column.tolist()).toEqual([7, 7, 7]);
    expect(got.other.sum().item()).toBe(66);
  });
  it("keeps requires_grad and Parameters, as leaves that can be trained", () => {
    const got = again({
      p: new Parameter(torch.ones([2])),
      frozen: new Parameter(torch.ones([2]), false),
      t: torch.ones([2]).requires_grad_(),
    });
    expect(got.p).toBeInstanceOf(Parameter);
    expect([got.p.requires_grad, got.frozen.requires_grad, got.t.requires_grad, got.t.is_leaf]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(got.frozen).toBeInstanceOf(Parameter);
    got.p.mul(3).sum().backward();
    expect(got.p.grad!.tolist()).toEqual([3, 3]);
  });
  it("gives one tensor that was saved twice back as one", () => {
    const t = torch.ones([2]), [a, b] = again([t, t]);
    expect(a).toBe(b);
  });
  it("loads empty tensors and numbers without dimensions", () => {
    const [empty, scalar] = again([torch.empty([0, 3]), torch.tensor(2.5)]) as [Tensor, Tensor];
    expect([[...empty.shape], scalar.item(), [...scalar.shape]]).toEqual([[0, 3], 2.5, []]);
  });
  it("takes bytes and buffers, and names a file that is not there", () => {
    const bytes = save_to_bytes(torch.tensor([5]));
    expect(load<Tensor>(bytes).item()).toBe(5);
    expect(load<Tensor>(bytes.buffer).item()).toBe(5);
    expect(() => load(join(folder, "absent.pth"))).toThrow("absent.pth");
    expect(() => load(folder)).toThrow();
    expect(() => load(7 as never)).toThrow("load(): expected a path, a file: URL or bytes, but got number");
  });
  it("does not share memory with the bytes it was loaded from", () => {
    const bytes = save_to_bytes(torch.ones([4])), t = load<Tensor>(bytes);
    bytes.fill(0);
    expect(t.tolist()).toEqual([1, 1, 1, 1]);
  });

  describe("map_location", () => {
    const elsewhere = save_to_bytes({ t: torch.ones([3]) });
    const onMeta = (map: Parameters<typeof load>[1]): string =>
      String(load<{ t: Tensor }>(elsewhere, map).t.device);

    it("places tensors by name, device, table or function", () => {
      expect(onMeta(null)).toBe("cpu");
      expect(onMeta("meta")).toBe("meta");
      expect(onMeta(torch.device("meta"))).toBe("meta");
      expect(onMeta({ cpu: "meta" })).toBe("meta");
      expect(onMeta({ cuda: "meta" })).toBe("cpu");
      expect(onMeta(new Map([["cpu", "meta"]]))).toBe("meta");
      expect(onMeta((_, location) => location === "cpu" ? "meta" : null)).toBe("meta");
      expect(onMeta((storage) => storage)).toBe("cpu");
      expect(onMeta(() => null)).toBe("cpu");
      expect(onMeta({ map_location: "meta", weights_only: true })).toBe("meta");
    });
    it("is asked for when a file comes from a GPU that is not here", () => {
      const fromGpu = bytesOf("whole_tensor_legacy.pt"),
        text = Buffer.from(fromGpu),
        i = text.indexOf("X\x03\0\0\0cpu", 0, "latin1");
      const moved = new Uint8Array(
        Buffer.concat([
          text.subarray(0, i),
          Buffer.from("X\x06\0\0\0cuda:0", "latin1"),
          text.subarray(i + 8),
        ]),
      );
      expect(load<Tensor>(moved, "cpu").device.type).toBe("cpu");
      expect(load<Tensor>(moved, (storage) => storage.cpu()).device.type).toBe("cpu");
      expect(load<Tensor>(moved, { "cuda:0": "cpu" }).device.type).toBe("cpu");
      expect(() => load(moved)).toThrow(
        "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a CPU-only machine, " +
          "please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU.",
      );
    });
  });
});

describe.skipIf(!hasTorch)("PyTorch itself", { timeout: 60_000 }, () => {
  it("reads what we save", () => {
    const path = join(folder, "ours.pth");
    save({
      epoch: 3,
      lr: 0.1,
      one: torch.pyfloat(1),
      big: 2n ** 70n,
      text: "é😀",
      state: new Map([["w", torch.arange(6, { dtype: torch.float32 }).reshape([2, 3]).t()], [
        "b",
        torch.tensor([true, false]),
      ]]),
      p: new Parameter(torch.ones([2])),
      size: torch.zeros([4, 5]).shape,
      dtype: torch.bfloat16,
      set: new Set([1, 2]),
      bytes: Uint8Array.of(0, 255),
      none: null,
    }, path);
    const code = `import torch, sys
d = torch.load(sys.argv[1])
print(d["epoch"], d["lr"], repr(d["one"]), d["big"], d["text"], type(d["state"]).__name__, d["state"]["w"].tolist(), d["state"]["w"].stride(),
      d["state"]["b"], repr(d["p"]), d["size"], d["dtype"], d["set"], d["bytes"], d["none"], sep="|")`;
    expect(runPython(code, path)).toBe([
      "3|0.1|1.0|1180591620717411303424|é😀|OrderedDict|[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]|(1, 3)|tensor([ True, False])",
      "Parameter containing:\ntensor([1., 1.], requires_grad=True)|torch.Size([4, 5])|torch.bfloat16|{1, 2}|b'\\x00\\xff'|None",
    ].join("|"));
  });
  it("writes what we read: random values of many shapes, both formats", () => {
    const code = `import torch, sys
torch.manual_seed(0)
d = {str(i): torch.randn(s).to(t) * 50 for i, (s, t) in enumerate([((2, 3), torch.float32), ((5,), torch.float16), ((1, 0, 2), torch.int64), ((), torch.float64), ((3, 3), torch.bfloat16)])}
torch.save(d, sys.argv[1]); torch.save(d, sys.argv[2], _use_new_zipfile_serialization=False)
print([v.double().flatten().tolist() for v in d.values()])`;
    const zip = join(folder, "zip.pt"),
      legacy = join(folder, "legacy.pt"),
      want = JSON.parse(runPython(code, zip, legacy));
    for (const path of [zip, legacy]) {
      const got = [...load<Map<string, Tensor>>(path).values()];
      expect(got.map((t) => t.to(torch.float64).flatten().tolist())).toEqual(want);
    }
  });
});
