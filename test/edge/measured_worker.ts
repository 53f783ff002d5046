/** The example's Worker, which also tells how large its WebAssembly memory is. */
import * as torch from "tstorch/edge";
import worker from "../../examples/cloudflare_worker/worker.ts";

export default {
  fetch: (request: Request): Promise<Response> | Response =>
    new URL(request.url).pathname === "/memory"
      ? Response.json(torch.memory_stats()["reserved_bytes.all.current"])
      : worker.fetch(request),
};
