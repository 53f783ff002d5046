/**
 * tstorch: PyTorch for Deno, Node and the edge.
 *
 * ```ts
 * import * as torch from "tstorch";
 * const x = torch.tensor([[1, 2], [3, 4]], { requires_grad: true });
 * x.pow(2).sum().backward();
 * console.log(x.grad); // tensor([[2., 4.], [6., 8.]])
 * ```
 *
 * @module
 */
import { loadCore } from "../wasm/loader.ts";
import { cpuBackend } from "./backend/wasm.ts";

if (cpuBackend.core === null) cpuBackend.install(await loadCore());

export * from "./torch.ts";
