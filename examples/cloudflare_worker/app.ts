/** Reads handwritten digits: what the Worker does, apart from where its files come from. */
import * as torch from "tstorch/edge";
import { decodePng } from "./png.ts";

const { nn } = torch, { max_pool2d } = nn.functional;
const SIDE = 28, PIXELS = SIDE * SIDE, MOST_DIGITS = 1000;

type State = Map<string, torch.Tensor>;
const width = (state: State, layer: string): number => state.get(`${layer}.weight`)!.shape[0]!;

/** The network of `train_mnist.ts --model mlp`, as wide as the saved weights are. */
class MLP extends nn.Module {
  fc1: InstanceType<typeof nn.Linear>;
  fc2: InstanceType<typeof nn.Linear>;

  constructor(hidden: number) {
    super();
    this.fc1 = new nn.Linear(PIXELS, hidden);
    this.fc2 = new nn.Linear(hidden, 10);
  }

  override forward(x: torch.Tensor): torch.Tensor {
    return this.fc2(this.fc1(x.flatten(1)).relu());
  }
}

/** The network of `train_mnist.ts --model cnn`, as wide as the saved weights are. */
export class CNN extends nn.Module {
  conv1: InstanceType<typeof nn.Conv2d>;
  conv2: InstanceType<typeof nn.Conv2d>;
  fc1: InstanceType<typeof nn.Linear>;
  fc2: InstanceType<typeof nn.Linear>;

  constructor(channels1: number, channels2: number, hidden: number) {
    super();
    this.conv1 = new nn.Conv2d(1, channels1, 3, { padding: 1 });
    this.conv2 = new nn.Conv2d(channels1, channels2, 3, { padding: 1 });
    this.fc1 = new nn.Linear(channels2 * PIXELS / 16, hidden);
    this.fc2 = new nn.Linear(hidden, 10);
  }

  override forward(x: torch.Tensor): torch.Tensor {
    x = max_pool2d(this.conv1(x).relu(), 2);
    x = max_pool2d(this.conv2(x).relu(), 2);
    return this.fc2(this.fc1(x.flatten(1)).relu());
  }
}

/** Pictures of bytes, 784 a digit, as the networks want them: (N, 1, 28, 28), from -1 to 1. */
export function prepare(pictures: torch.Tensor): torch.Tensor {
  return pictures.view(-1, 1, SIDE, SIDE).to(torch.float32).div(255).sub(0.5).div(0.5);
}

/** A network from the bytes of a .pth file: a state_dict, or a checkpoint of train_mnist.ts. */
export function loadModel(bytes: ArrayBuffer): torch.nn.Module {
  const saved = torch.load<State | { model_state_dict: State }>(new Uint8Array(bytes));
  const state = saved instanceof Map ? saved : saved.model_state_dict;
  const net = state.has("conv1.weight")
    ? new CNN(width(state, "conv1"), width(state, "conv2"), width(state, "fc1"))
    : new MLP(width(state, "fc1"));
  net.load_state_dict(state);
  return net.eval();
}

/** One answer for each digit. */
export interface Answer {
  digit: number;
  /** Of the classes 0 to 9. */
  probabilities: number[];
}

/** Pictures as bytes, one after the other, white (255) on black, into answers. */
export function classify(net: torch.nn.Module, pictures: Uint8Array): Answer[] {
  return torch.scope(() =>
    torch.no_grad(() => {
      const rows = net.call(prepare(torch.tensor(pictures))).softmax(1).tolist() as number[][];
      return rows.map((probabilities) => ({
        digit: probabilities.indexOf(Math.max(...probabilities)),
        probabilities,
      }));
    })
  );
}

/** The request is not what it should be. */
class BadRequest extends Error {
  readonly status: number;
  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

async function readPictures(request: Request): Promise<Uint8Array> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim() ?? "application/octet-stream";
  const body = await request.arrayBuffer();
  if (body.byteLength > 16 * PIXELS * MOST_DIGITS) throw new BadRequest("the body is too large", 413);
  let bytes: Uint8Array;
  switch (type) {
    case "application/octet-stream":
      bytes = new Uint8Array(body);
      break;
    case "application/json":
      bytes = fromJson(new TextDecoder().decode(body));
      break;
    case "image/png": {
      const image = await decodePng(new Uint8Array(body)).catch((error: Error) => {
        throw new BadRequest(`not a PNG picture that can be read: ${error.message}`);
      });
      if (image.width !== SIDE || image.height !== SIDE) {
        throw new BadRequest(
          `expected a picture of ${SIDE}x${SIDE} pixels, but got ${image.width}x${image.height}`,
        );
      }
      bytes = image.grey;
      break;
    }
    default:
      throw new BadRequest(
        `expected application/octet-stream, application/json or image/png, but got ${type}`,
        415,
      );
  }
  if (bytes.length === 0 || bytes.length % PIXELS !== 0) {
    throw new BadRequest(
      `expected ${PIXELS} bytes for each digit (${SIDE} rows of ${SIDE}), but got ${bytes.length}`,
    );
  }
  if (bytes.length > PIXELS * MOST_DIGITS) throw new BadRequest(`more than ${MOST_DIGITS} digits`, 413);
  return bytes;
}

/** Numbers from 0 to 255, nested in any way. */
function fromJson(text: string): Uint8Array {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BadRequest(`not JSON: ${(error as Error).message}`);
  }
  const numbers: unknown[] = Array.isArray(value) ? value.flat(8) : [value];
  return Uint8Array.from(numbers, (number) => {
    if (typeof number === "number" && number >= 0 && number <= 255) return Math.round(number);
    throw new BadRequest(`expected numbers from 0 to 255, but got ${JSON.stringify(number)}`);
  });
}

const json = (value: unknown, status = 200): Response => Response.json(value, { status });

/** Answers a request. */
export async function respond(net: torch.nn.Module, request: Request): Promise<Response> {
  try {
    if (request.method === "GET") {
      return new Response("POST a digit of 28x28 pixels: bytes, JSON or PNG, white on black.\n");
    }
    if (request.method !== "POST") throw new BadRequest(`expected POST, but got ${request.method}`, 405);
    return json(classify(net, await readPictures(request)));
  } catch (error) {
    if (error instanceof BadRequest) return json({ error: error.message }, error.status);
    throw error;
  }
}
