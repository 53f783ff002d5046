// A web server that misbehaves on purpose; each path is one fault. Runs in its own process, as the client blocks its thread.
// Prints its port; the requests it got are listed at /log.
import http from "node:http";

const body = Buffer.from(Uint8Array.from({ length: 700_000 }, (_, i) => (i * 2654435761) >>> 11));
const log = [], counts = new Map();

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://x"), range = request.headers.range;
  if (pathname === "/log") return void response.end(JSON.stringify(log));
  const nth = (counts.get(pathname) ?? 0) + 1;
  counts.set(pathname, nth);
  log.push({ path: pathname, range: range ?? null });
  const fault = pathname.split("/")[1];
  const from = range && fault !== "norange" ? Number(/bytes=(\d+)-/.exec(range)[1]) : 0;
  const send = (data, { status = from > 0 ? 206 : 200, length = data.length, headers = {} } = {}) => {
    if (status === 206) headers["content-range"] = `bytes ${from}-${body.length - 1}/${body.length}`;
    response.writeHead(status, { "content-length": length, ...headers });
    return response.write(data);
  };
  const rest = body.subarray(from);
  switch (fault) {
    case "good":
    case "norange":
      send(rest);
      return void response.end();
    case "missing":
      response.writeHead(404);
      return void response.end("no such file");
    case "busy": // twice 503, then fine
      if (nth <= 2) {
        response.writeHead(503);
        return void response.end("try later");
      }
      send(rest);
      return void response.end();
    case "truncates": // cuts the connection after a third, twice
      send(nth <= 2 ? rest.subarray(0, Math.ceil(body.length / 3)) : rest, { length: rest.length });
      return void (nth <= 2 ? setTimeout(() => response.destroy(), 50) : response.end());
    case "always-truncates":
      send(rest.subarray(0, 1000), { length: rest.length });
      return void setTimeout(() => response.destroy(), 50);
    case "short": // a whole answer that is too short, without a length to tell by
      response.writeHead(200, { "transfer-encoding": "chunked" });
      return void response.end(body.subarray(0, 1000));
    case "stalls": // sends a little, then nothing more; fine the second time
      if (nth > 1) {
        send(rest);
        return void response.end();
      }
      return void send(rest.subarray(0, 5000), { length: rest.length });
    case "silent":
      return;
    case "corrupt": {
      const wrong = Buffer.from(rest);
      if (nth === 1) wrong[1000] ^= 1;
      send(wrong);
      return void response.end();
    }
    case "always-corrupt": {
      const wrong = Buffer.from(rest);
      wrong[1000] ^= 1;
      send(wrong);
      return void response.end();
    }
    case "badrange": // claims to go on somewhere else
      if (from > 0) {
        response.writeHead(206, {
          "content-range": `bytes 0-${body.length - 1}/${body.length}`,
          "content-length": body.length,
        });
        return void response.end(body);
      }
      send(rest);
      return void response.end();
    case "redirect":
      response.writeHead(302, { location: "/good/file" });
      return void response.end();
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
