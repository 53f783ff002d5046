/** What a Cloudflare Worker does: it may not compile bytes, so it imports the module; run by workerd.test.ts. */

// @ts-expect-error: the host compiles it; TypeScript knows no such file
import wasm from "./core.wasm";
import { instantiateCore, loadCore } from "../../../wasm/loader.ts";
import { pointwiseF32 } from "../pointwise.ts";

const module = wasm as WebAssembly.Module;

export default {
  async test() {
    const core = instantiateCore(module);
    const x = core.heapBase / 4;
    core.f32.fill(3, x, x + 100);
    const status = pointwiseF32(core, "square", 100, core.heapBase, core.heapBase);
    const same = await loadCore({ module });
    console.log(JSON.stringify({
      status,
      result: core.f32[x + 99],
      grown: core.grow(40 << 20),
      variants: [core.variant, same.variant],
      threads: core.threads.request(),
    }));
  },
};
