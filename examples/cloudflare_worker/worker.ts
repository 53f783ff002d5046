/** The Worker. Its two files come as modules beside it, which the runtime has made ready: see config.capnp. */
// @ts-ignore: a module of the runtime
import wasm from "./tstorch-relaxed.wasm";
// @ts-ignore: a module of the runtime
import model from "./model.pth";
import { init } from "tstorch/edge";
import { loadModel, respond } from "./app.ts";

init(wasm as WebAssembly.Module);
const net = loadModel(model as ArrayBuffer);

export default {
  fetch: (request: Request): Promise<Response> => respond(net, request),
};
