import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportProblems } from "../../scripts/check_exports.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const stage = join(root, "build", "test", `package.${process.pid}`);
const user = mkdtempSync(join(tmpdir(), "tstorch-user-")); // outside, so that no node_modules above it helps
const installed = join(user, "node_modules", "tstorch");

const env = { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" };
const run = (program: string, args: string[], cwd: string): string =>
  execFileSync(program, args, {
    cwd,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
/** What a program of the user's prints. */
function node(source: string, ...flags: string[]): string {
  writeFileSync(join(user, "program.mjs"), source);
  return run("node", [...flags, "program.mjs"], user);
}

let tarball = "";
beforeAll(() => {
  run(
    join(root, "node_modules", ".bin", "deno"),
    [
      "run",
      "-A",
      join(root, "scripts", "build_npm.ts"),
      `--out=${join(stage, "dist")}`,
    ],
    root,
  );
  for (const file of ["package.json", "README.md", "LICENSE"]) {
    cpSync(join(root, file), join(stage, file));
  }
  const [packed] = JSON.parse(run("npm", ["pack", "--json"], stage)) as [
    { filename: string },
  ];
  tarball = join(stage, packed.filename);
  writeFileSync(
    join(user, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  run("npm", [
    "install",
    tarball,
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
  ], user);
}, 180_000);
afterAll(() => {
  rmSync(user, { recursive: true, force: true });
  rmSync(stage, { recursive: true, force: true });
});

describe("the npm package in an empty folder", () => {
  it("computes, differentiates and prints", () => {
    const text = node(`
      import * as torch from "tstorch";
      const x = torch.tensor([[1, 2], [3, 4]], { requires_grad: true });
      x.pow(2).sum().backward();
      console.log(x.grad);
    `);
    expect(text).toBe("tensor([[2., 4.],\n        [6., 8.]])\n");
  });

  it("trains and saves a network", () => {
    const text = node(`
      import * as torch from "tstorch";
      const { nn, optim } = torch;
      torch.manual_seed(0);
      const net = new nn.Sequential(new nn.Linear(4, 16), new nn.ReLU(), new nn.Linear(16, 1));
      const optimizer = new optim.Adam(net.parameters(), { lr: 0.01 });
      const x = torch.randn(64, 4), y = x.sum(1, true);
      const lossOf = new nn.MSELoss();
      for (let i = 0; i < 300; i++) {
        optimizer.zero_grad();
        lossOf(net(x), y).backward();
        optimizer.step();
      }
      torch.save(net.state_dict(), "net.pth");
      console.log(lossOf(net(x), y).item() < 0.01, [...torch.load("net.pth").keys()].join());
    `);
    expect(text).toBe("true 0.weight,0.bias,2.weight,2.bias\n");
  });

  it("ends at once, though it has started threads", () => {
    const start = Date.now();
    const text = node(`
      import * as torch from "tstorch";
      const a = torch.ones(700, 700);
      for (let i = 0; i < 20; i++) a.matmul(a);
      console.log(a.matmul(a).sum().item());
    `);
    expect(text).toBe(`${700 ** 3}\n`);
    expect(Date.now() - start).toBeLessThan(20_000);
  });

  it("has the edge entry, also under the condition that edge bundlers set", () => {
    const program = (name: string): string => `
      import * as torch from "${name}";
      import { readFileSync } from "node:fs";
      import { fileURLToPath } from "node:url";
      const file = fileURLToPath(import.meta.resolve("tstorch/wasm/tstorch-simd.wasm"));
      try { torch.ones(2); } catch (error) { console.log(error.message); }
      torch.init(new WebAssembly.Module(readFileSync(file)));
      console.log(String(torch.ones(2).add(1)), torch.get_num_threads());
    `;
    const expected =
      "tstorch has not been started: call init(module) of tstorch/edge before anything else\n" +
      "tensor([2., 2.]) 1\n";
    expect(node(program("tstorch/edge"))).toBe(expected);
    expect(node(program("tstorch"), "--conditions=workerd")).toBe(expected);
  });

  it("has types", () => {
    writeFileSync(
      join(user, "typed.ts"),
      `
      import * as torch from "tstorch";
      import { init } from "tstorch/edge";
      class Net extends torch.nn.Module {
        fc = new torch.nn.Linear(2, 1);
        override forward(x: torch.Tensor): torch.Tensor { return this.fc(x).relu(); }
      }
      const y: torch.Tensor = new Net()(torch.ones([3, 2], { dtype: torch.float32 }));
      const shape: readonly number[] = y.shape;
      // @ts-expect-error: there is no such operator
      y.no_such_operator();
      // @ts-expect-error: a number, not a text
      new torch.nn.Linear("2", 1);
      // @ts-expect-error: options are an object
      init(new ArrayBuffer(8), 42);
      export { shape };
    `,
    );
    writeFileSync(
      join(user, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          noEmit: true,
          strict: true,
          target: "es2024",
          module: "nodenext",
          lib: ["es2024", "esnext.disposable", "esnext.collection", "esnext.iterator", "dom", "dom.iterable"],
          types: [],
          skipLibCheck: false,
        },
        files: ["typed.ts"],
      }),
    );
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    let output = "";
    try {
      output = run("node", [tsc, "-p", "."], user);
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe("");
  });

  it("holds what is needed, and no more", () => {
    const files = run("tar", ["tzf", tarball], stage).trim().split("\n").map((
      file,
    ) => file.replace("package/", ""));
    for (const file of files) {
      expect(file).toMatch(
        /^(dist\/(src|wasm|ffi)\/.*\.(js|d\.ts|wasm|so|json)|README\.md|LICENSE|package\.json)$/,
      );
    }
    for (const variant of ["simd", "relaxed", "simd-mt", "relaxed-mt"]) {
      expect(files).toContain(`dist/wasm/built/tstorch-${variant}.wasm`);
      expect(files).toContain(`dist/wasm/embedded/${variant}.js`);
    }
    expect(existsSync(join(user, "node_modules", "koffi"))).toBe(false);
    const manifest = JSON.parse(
      readFileSync(join(installed, "package.json"), "utf8"),
    );
    expect(manifest.dependencies).toBeUndefined();
    for (const script of ["preinstall", "install", "postinstall"]) {
      expect(manifest.scripts[script]).toBeUndefined();
    }
    expect(statSync(tarball).size).toBeLessThan(6e6);
  });
});

describe("scripts/check_exports.ts", () => {
  const deno = { ".": "./src/mod.ts" };
  const npm = {
    ".": { types: "./dist/src/mod.d.ts", default: "./dist/src/mod.js" },
  };
  const all = (): boolean => true;

  it("is content with equal entries", () => {
    expect(exportProblems(deno, npm, all, true)).toEqual([]);
  });
  it("finds an entry that only one side has", () => {
    expect(exportProblems({ ...deno, "./x": "./src/x.ts" }, npm, all, false))
      .toEqual([
        'package.json: "./x" should be ./dist/src/x.js, but is undefined',
        'package.json: the types of "./x" should be ./dist/src/x.d.ts, but are undefined',
      ]);
    expect(exportProblems({}, npm, all, false)).toEqual([
      'package.json exports ".", deno.json does not',
    ]);
  });
  it("finds an entry that is another file, or none", () => {
    expect(exportProblems({ ".": "./src/edge.ts" }, npm, all, false).length)
      .toBe(2);
    expect(
      exportProblems(deno, npm, (path) => !path.startsWith("./dist"), true)
        .length,
    ).toBe(2);
    expect(
      exportProblems(deno, npm, (path) => !path.startsWith("./src"), false)
        .length,
    ).toBe(3);
  });
  it("finds a condition without types", () => {
    const entry = { ...npm["."], workerd: "./dist/src/edge.js" };
    expect(exportProblems(deno, { ".": entry }, all, false)).toEqual([
      'package.json: "." (workerd) has no types',
    ]);
  });
});
mkdirSync(stage, { recursive: true });
