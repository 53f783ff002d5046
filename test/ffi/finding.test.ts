/** Finding the library: what is said where it, the bridge, the driver or a permission is missing. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUILD_TIMEOUT, coreLibrary, deno, hasProgram, hostLibrary, root } from "./libraries.ts";

const program = join(root, "test", "ffi", "print_cuda.ts");
const ALLOWED = ["--allow-ffi", "--allow-env", "--allow-read"];

const folders: string[] = [];
function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), "tstorch-ffi-")));
  return folders.at(-1)!;
}
afterAll(() => folders.forEach((path) => rmSync(path, { recursive: true, force: true })));

function inDeno(variables: Record<string, string>, flags: string[] = ALLOWED): string {
  return run(deno, ["run", ...flags, program], variables);
}
let bundle: string;
function inNode(variables: Record<string, string>, path: string = bundle): string {
  return run("node", [path], variables);
}
/** stdin is closed: a program that asks for a permission would hang or fail here. */
function run(command: string, args: string[], variables: Record<string, string>): string {
  const { stdout, stderr, status } = spawnSync(command, args, {
    env: { ...process.env, ...variables, NO_COLOR: "1" },
    encoding: "utf8",
    timeout: 30_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
  expect(status, stderr).toBe(0);
  return stdout.trim();
}
function compileC(text: string): string {
  const path = folder(), source = join(path, "library.c");
  writeFileSync(source, text);
  execFileSync("g++", ["-shared", "-fPIC", "-x", "c++", source, "-o", join(path, "library.so")]);
  return join(path, "library.so");
}

beforeAll(async () => {
  const out = join(root, "build", "test", `print_cuda.${process.pid}.mjs`);
  mkdirSync(join(root, "build", "test"), { recursive: true });
  await build({ entryPoints: [program], outfile: out, bundle: true, platform: "node", format: "esm" });
  bundle = out;
});
afterAll(() => rmSync(bundle, { force: true }));

describe.each([["Deno", inDeno], ["Node", inNode]] as const)("in %s", (_, inRuntime) => {
  it("says that the library named does not exist", () => {
    expect(inRuntime({ TSTORCH_CUDA_LIB: "/nowhere/lib.so" })).toBe(
      "no: TSTORCH_CUDA_LIB names /nowhere/lib.so, which does not exist",
    );
  });
  it("does not look any further when told so", () => {
    expect(inRuntime({ TSTORCH_CUDA_LIB: "0" })).toBe("no: the environment variable TSTORCH_CUDA_LIB is 0");
  });
  it("says what the system says about a file that is no library", () => {
    const path = join(folder(), "not_a_library.so");
    writeFileSync(path, "hello");
    expect(inRuntime({ TSTORCH_CUDA_LIB: path })).toMatch(
      /^no: .*not_a_library\.so could not be loaded: .*(file too short|invalid ELF header)/,
    );
  });
  it.skipIf(existsSync(join(root, "ffi", "prebuilt")))("says where it looked", () => {
    expect(inRuntime({ TSTORCH_CUDA_LIB: "" })).toMatch(
      /^no: there is no CUDA library for \S+ \(looked for .*libtstorch_cuda\.so\): build it with scripts\/build_cuda\.ts, or name one/,
    );
  });
});

describe.skipIf(!hasProgram("g++")).each([["Deno", inDeno], ["Node", inNode]] as const)(
  "with libraries, in %s",
  (_, inRuntime) => {
    let host: string;
    beforeAll(async () => void (host = await hostLibrary()), BUILD_TIMEOUT);

    it("opens the one that the environment names", () => {
      expect(inRuntime({ TSTORCH_CUDA_LIB: host })).toBe("yes: 2 devices");
      expect(inRuntime({ TSTORCH_CUDA_LIB: host, TSTORCH_HOST_DEVICE: "devices=3" })).toBe("yes: 3 devices");
    });
    it("says that there is no device", () => {
      expect(inRuntime({ TSTORCH_CUDA_LIB: host, TSTORCH_HOST_DEVICE: "devices=0" })).toBe(
        "no: CUDA: no CUDA-capable device is detected (cudaErrorNoDevice)",
      );
    });
    it("refuses another version of the ABI", () => {
      const path = compileC('extern "C" int tc_abi_version(const void *) { return 99; }');
      expect(inRuntime({ TSTORCH_CUDA_LIB: path })).toMatch(
        /^no: .*library\.so has ABI version 99, this tstorch needs \d+: build or install a matching one$/,
      );
    });
    it("refuses a library that lacks a function", () => {
      const path = compileC('extern "C" int tc_abi_version(const void *) { return 1; }');
      expect(inRuntime({ TSTORCH_CUDA_LIB: path })).toMatch(
        /^no: .*library\.so has no function tc_copy_h2d$/,
      );
    });
    it("says that there is no driver, or that it is too old", () => {
      const described = (driver: number) => {
        const path = compileC(`#include <cstring>
          struct Text { long long capacity, length; };
          extern "C" int tc_abi_version(const void *) { return 1; }
          extern "C" int tc_copy_h2d(const void *, const void *) { return 6; }
          extern "C" int tc_copy_d2h(const void *, void *) { return 6; }
          extern "C" int tc_last_error(Text *a, void *) { a->length = 0; return 0; }
          extern "C" int tc_kernel_list(Text *a, void *) { a->length = 0; return 0; }
          extern "C" int tc_library_info(long long *a) { a[0] = 0; a[1] = ${driver}; a[2] = 13000; a[3] = 0; return 6; }`);
        return inRuntime({ TSTORCH_CUDA_LIB: path });
      };
      expect(described(0)).toBe("no: there is no NVIDIA driver (libcuda.so.1 could not be loaded)");
      expect(described(12040)).toBe(
        "no: the NVIDIA driver supports CUDA 12.4, but the library needs CUDA 13: install a newer driver",
      );
    });
  },
);

describe.skipIf(!hasProgram("g++"))("torch.cuda", () => {
  const says = (variables: Record<string, string>) =>
    run(deno, ["run", ...ALLOWED, join(root, "test", "ffi", "print_why.ts")], variables);

  it("says why there is no CUDA, and everything else goes on", () => {
    expect(says({ TSTORCH_CUDA_LIB: "0" })).toBe(
      "false 0 the environment variable TSTORCH_CUDA_LIB is 0\n" +
        "RuntimeError: CUDA is not available: the environment variable TSTORCH_CUDA_LIB is 0",
    );
  });

  it.each([
    ["a kernel that has another struct", "kernel tc_copy 8 0\\n", "tc_copy"],
    ["a kernel that nobody knows", "kernel tc_fly 8 0\\n", "tc_fly"],
    ["elementwise operators in another order", "op add\\nop copy\\n", "add"],
  ])("refuses a library with %s", (_, list, name) => {
    const path = compileC(`#include <cstring>
      struct Text { long long capacity, length; };
      extern "C" int tc_abi_version(const void *) { return 1; }
      extern "C" int tc_copy_h2d(const void *, const void *) { return 6; }
      extern "C" int tc_copy_d2h(const void *, void *) { return 6; }
      extern "C" int tc_last_error(Text *a, void *) { a->length = 0; return 0; }
      extern "C" int tc_kernel_list(Text *a, char *to) { a->length = strlen(strcpy(to, "${list}")); return 0; }
      extern "C" int tc_library_info(long long *a) { a[0] = 0; a[1] = a[2] = 13000; a[3] = 1; return 0; }`);
    const reason = `${path} was built from other sources (${name} differs): build it again`;
    expect(says({ TSTORCH_CUDA_LIB: path })).toBe(
      `false 0 ${reason}\nRuntimeError: CUDA is not available: ${reason}`,
    );
  });
});

describe.skipIf(!hasProgram("clang-19"))("the C core is no device library", () => {
  it("is refused", async () => {
    const core = await coreLibrary();
    expect(inNode({ TSTORCH_CUDA_LIB: core })).toBe(`no: ${core} is not a tstorch device library`);
  }, BUILD_TIMEOUT);
});

describe("permissions and optional packages", () => {
  it("Deno without --allow-ffi is told so, and not asked", async () => {
    const host = hasProgram("g++") ? await hostLibrary() : join(folder(), "any.so");
    const answer = inDeno({ TSTORCH_CUDA_LIB: host }, ["--allow-env"]);
    expect(answer).toBe(`no: Deno may not load ${host}: run it with --allow-ffi`);
    expect(inDeno({}, [])).toMatch(/^no: Deno may not load .*libtstorch_cuda\.so: run it with --allow-ffi$/);
  }, BUILD_TIMEOUT);

  it("Node without koffi is told what to install", () => {
    const elsewhere = join(folder(), "print_cuda.mjs");
    execFileSync("cp", [bundle, elsewhere]);
    const library = join(folder(), "any.so");
    writeFileSync(library, "");
    expect(inNode({ TSTORCH_CUDA_LIB: library }, elsewhere)).toBe(
      'no: the optional package "koffi" is not installed (npm install koffi)',
    );
  });
});
