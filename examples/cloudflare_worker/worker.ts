/** The Worker. Its two files come as modules beside it, which the runtime has made ready: see config.capnp. */
// @ts-ignore: a module of the runtime
import wasm from "./tstorch-relaxed.wasm";
// @ts-ignore: a module of the runtime
import model from "./model.pth";
import { init } from "tstorch/edge";
import { loadModel, respond } from "./app.ts";

init(wasm as WebAssembly.Module);
// At the first request: a network draws its first weights, and Workers give no random numbers before one.
let net: ReturnType<typeof loadModel> | undefined;

export default {
  fetch: (request: Request): Promise<Response> => respond(net ??= loadModel(model as ArrayBuffer), request),
};
