/** Tensors hold numbers; operators make tensors of tensors. */
import * as torch from "../../src/mod.ts";

const a = torch.tensor([3]);
const b = torch.tensor([4]);
console.log(a.mul(b)); // tensor([12.])
