using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "./tstorch-relaxed.wasm", wasm = embed "tstorch-relaxed.wasm"),
    (name = "./model.pth", data = embed "model.pth"),
  ],
  compatibilityDate = "2025-06-01",
);
