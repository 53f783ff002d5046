/**
 * Downloads that either give the whole, verified file or none: bytes go into `<name>.part`, an interrupted one is taken up
 * where it stopped, and only a file whose checksum is right gets its name.
 */
import { sleepSync, stderr } from "../../base/env.ts";
import { RuntimeError } from "../../base/errors.ts";
import { fileSize, makeDirectory, openFile, openWriter, removeFile, renameFile } from "../../base/fs.ts";
import { hasSyncHttp, httpGet, type HttpResponse } from "../../base/http.ts";
import { Md5 } from "./md5.ts";

/** What to download, and how hard to try. */
export interface Download {
  /** The same file at several places, tried in this order. */
  urls: readonly string[];
  /** Where it goes. */
  path: string;
  /** The checksum that it must have. */
  md5: string;
  /** Tries per place (default 3). */
  attempts?: number;
  /** The longest silence in milliseconds (default 20 s). */
  timeout?: number;
  /** The wait before the second try, doubled for each further one, in milliseconds (default 500). */
  backoff?: number;
  /** Told about every piece; `total` is undefined where the server does not say. */
  onProgress?: (received: number, total: number | undefined) => void;
  /** Told what happens (default: standard error). */
  log?: (line: string) => void;
}

/** A failure that another try at the same place will not mend. */
class Hopeless extends Error {}

/** Downloads a file; throws a RuntimeError that lists what went wrong at each place. */
export function downloadFile(job: Download): void {
  const log = job.log ?? ((line: string) => stderr.write(line + "\n"));
  const name = job.path.slice(job.path.lastIndexOf("/") + 1);
  if (!hasSyncHttp()) {
    throw new RuntimeError(`Error downloading ${name}: this runtime cannot download synchronously`);
  }
  const failures: string[] = [], { attempts = 3, backoff = 500 } = job;
  for (const url of job.urls) {
    log(`Downloading ${url}`);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        fetchInto(url, `${job.path}.part`, job);
        renameFile(`${job.path}.part`, job.path);
        return;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error),
          last = attempt === attempts || error instanceof Hopeless;
        if (last) failures.push(`${url}: ${reason}`);
        log(`Failed to download (${last ? "giving this place up" : "trying again"}): ${reason}`);
        if (last) break;
        sleepSync(backoff * 2 ** (attempt - 1));
      }
    }
  }
  throw new RuntimeError(`Error downloading ${name}\n${failures.map((line) => `  ${line}`).join("\n")}`);
}

/** One try: completes `part` and checks it. */
function fetchInto(url: string, part: string, job: Download): void {
  const have = fileSize(part) ?? 0;
  // Never compressed on the way: the checksum is that of the file itself.
  const headers: Record<string, string> = { "accept-encoding": "identity", "user-agent": "tstorch" };
  if (have > 0) headers["range"] = `bytes=${have}-`;
  const response = httpGet(url, { headers, timeout: job.timeout ?? 20_000 });
  try {
    const start = startOf(response, have, part), length = contentLength(response);
    makeDirectory(part.slice(0, Math.max(0, part.lastIndexOf("/"))) || "."); // only now that there is something to put into it
    const total = length === undefined ? undefined : start + length;
    const received = receive(response, part, start, (n) => job.onProgress?.(n, total));
    if (total !== undefined && received < total) {
      throw new Error(`the connection ended after ${received} of ${total} bytes`);
    }
  } finally {
    response.close();
  }
  const sum = fileMd5(part);
  if (sum !== job.md5) {
    const size = fileSize(part);
    removeFile(part);
    throw new Error(`the file is corrupt: ${size} bytes with md5 ${sum}, but ${job.md5} is right`);
  }
}

/** Where the body starts in the file: at `have` if the server goes on there, else at 0. */
function startOf(response: HttpResponse, have: number, part: string): number {
  const { status } = response;
  if (status === 200) return 0;
  if (status === 206) {
    const from = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
    if (from !== undefined && Number(from) === have) return have;
  }
  if (status === 206 || status === 416) {
    removeFile(part);
    throw new Error(`HTTP ${status}: the server cannot go on at byte ${have}`);
  }
  const text = `HTTP ${status}`;
  throw status >= 500 || status === 408 || status === 429 ? new Error(text) : new Hopeless(text);
}

function contentLength(response: HttpResponse): number | undefined {
  const text = response.headers.get("content-length");
  return text !== undefined && /^\d+$/.test(text) && !response.headers.get("content-encoding")
    ? Number(text)
    : undefined;
}

function receive(response: HttpResponse, part: string, start: number, progress: (n: number) => void): number {
  const writer = openWriter(part, { append: start > 0 });
  let received = start;
  try {
    for (let piece = response.read(); piece !== null; piece = response.read()) {
      writer.write(piece);
      received += piece.length;
      progress(received);
    }
  } finally {
    writer.close();
  }
  return received;
}

/** The checksum of a file. */
export function fileMd5(path: string): string {
  const file = openFile(path), sum = new Md5(), step = 1 << 20;
  try {
    for (let at = 0; at < file.size; at += step) sum.update(file.read(at, Math.min(step, file.size - at)));
  } finally {
    file.close();
  }
  return sum.hexDigest();
}
