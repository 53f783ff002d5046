/** Convolutions, pooling and normalisations against the core. */

import { BF16, Buffer, type Check, compare, F16, F32, F64, FLOATS, I32, I64, Random, U8 } from "./harness.ts";
import { numbers, tolerance } from "./values.ts";

const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);

/** A result: what a sum of `terms` products may be off by. */
function result(dtype: number, length: number, terms: number, fill: () => number): Buffer {
  const out = new Buffer(dtype, length, fill, 4 * tolerance(dtype));
  out.absolute = tolerance(dtype) * 10 * Math.sqrt(terms + 1);
  return out;
}

interface Spatial {
  in_size: number[];
  out_size: number[];
  kernel: number[];
  stride: number[];
  padding: number[];
  dilation: number[];
}

/** A random window over up to `most` places a dimension; trailing dimensions only, with probability. */
function windows(r: Random, most: number, dilated: boolean): Spatial {
  const dims = r.int(1, 3),
    s: Spatial = { in_size: [], out_size: [], kernel: [], stride: [], padding: [], dilation: [] };
  for (let d = 0; d < 3; d++) {
    const used = d >= 3 - dims, kernel = used ? r.int(1, 3) : 1, dilation = used && dilated ? r.int(1, 2) : 1;
    const stride = used ? r.int(1, 3) : 1, padding = used ? r.int(0, kernel >> 1) : 0;
    const size = used ? r.int(dilation * (kernel - 1) + 1, most) : 1;
    s.in_size.push(size);
    s.kernel.push(kernel);
    s.stride.push(stride);
    s.padding.push(padding);
    s.dilation.push(dilation);
    s.out_size.push(Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1);
  }
  return s;
}

const convolution: Check = {
  name: "convolution and its gradients",
  run(libraries) {
    const r = new Random(8100);
    for (const dtype of FLOATS) {
      for (let i = 0; i < 8; i++) {
        const s = windows(r, i === 7 ? 40 : 7, true), groups = r.int(1, 3);
        const ic = groups * r.int(1, 4),
          oc = groups * r.int(1, 5),
          batch = r.int(1, 3),
          fill = numbers(r, dtype);
        const inside = product(s.in_size), outside = product(s.out_size), taps = product(s.kernel);
        const common = { dtype, batch, groups, in_channels: ic, out_channels: oc, ...s, algorithm: 0 };
        const label = JSON.stringify(common);
        const x = () => new Buffer(dtype, batch * ic * inside, fill),
          y = () => new Buffer(dtype, batch * oc * outside, fill);
        const w = () => new Buffer(dtype, oc * ic / groups * taps, fill);
        compare(libraries, {
          kernel: "tc_conv",
          label,
          fields: {
            ...common,
            x: x(),
            weight: w(),
            bias: r.chance(0.5) ? new Buffer(dtype, oc, fill) : 0,
            y: result(dtype, batch * oc * outside, ic * taps * 9, fill),
            act: r.int(0, 3),
          },
        });
        compare(libraries, {
          kernel: "tc_conv_backward_input",
          label,
          fields: {
            ...common,
            x: result(dtype, batch * ic * inside, oc * taps * 9, fill),
            weight: w(),
            bias: r.chance(0.5) ? new Buffer(dtype, ic, fill) : 0,
            y: y(),
            act: r.int(0, 1),
          },
        });
        compare(libraries, {
          kernel: "tc_conv_backward_weight",
          label,
          fields: {
            ...common,
            x: x(),
            weight: result(dtype, oc * ic / groups * taps, batch * outside * 9, fill),
            bias: r.chance(0.5) ? result(dtype, oc, batch * outside * 9, fill) : 0,
            y: y(),
            act: 0,
          },
        });
      }
    }
  },
};

const pooling: Check = {
  name: "pooling, unpooling and their gradients",
  run(libraries) {
    const r = new Random(8200);
    for (const dtype of [...FLOATS, U8, I32]) {
      const float = FLOATS.includes(dtype);
      for (let i = 0; i < 6; i++) {
        const s = windows(r, 9, true),
          planes = r.int(1, 4),
          fill = numbers(r, dtype, true),
          index_dtype = r.pick([I32, I64]);
        const inside = planes * product(s.in_size), outside = planes * product(s.out_size);
        const common = { dtype, index_dtype, planes, ...s };
        const label = JSON.stringify(common);
        const adaptive = { ...common, out_size: s.in_size.map((n) => r.int(1, n + 1)) };
        const wanted = planes * product(adaptive.out_size);
        for (const kernel of ["tc_max_pool", "tc_adaptive_max_pool"] as const) {
          const n = kernel === "tc_max_pool" ? outside : wanted;
          compare(libraries, {
            kernel,
            label,
            fields: {
              ...(kernel === "tc_max_pool" ? common : adaptive),
              x: new Buffer(dtype, inside, fill),
              y: new Buffer(dtype, n, fill),
              indices: r.chance(0.7) ? new Buffer(index_dtype, n, () => 7) : 0,
            },
          });
        }
        // Each place is led to once, so that the order of the updates does not show.
        const room = product(s.in_size), some = Math.min(room, product(s.out_size));
        const small = { ...common, out_size: [1, 1, some] };
        const places = Array.from({ length: planes }, () => {
          const all = Array.from({ length: room }, (_, k) => k);
          for (let k = room - 1; k > 0; k--) [all[k], all[r.int(0, k)]] = [all[r.int(0, k)]!, all[k]!];
          return [...new Set(all)].slice(0, some);
        });
        const filled = places.map((p) => Array.from({ length: some }, (_, k) => p[k] ?? -1)).flat();
        if (filled.includes(-1)) continue;
        for (const kernel of ["tc_max_pool_backward", "tc_max_unpool", "tc_max_unpool_backward"] as const) {
          compare(libraries, {
            kernel,
            label,
            fields: {
              ...small,
              x: new Buffer(dtype, inside, fill),
              y: new Buffer(dtype, planes * some, fill),
              indices: new Buffer(index_dtype, planes * some, (k) => filled[k]!),
            },
          });
        }
        if (!float) continue;
        const plain = {
          ...common,
          dilation: [1, 1, 1],
          count_include_pad: r.int(0, 1),
          divisor_override: r.pick([0, 0, 3]),
        };
        plain.out_size = s.in_size.map((n, d) =>
          Math.floor((n + 2 * s.padding[d]! - s.kernel[d]!) / s.stride[d]!) + 1
        );
        const averaged = planes * product(plain.out_size), modest = numbers(r, dtype);
        const each = [["tc_avg_pool", plain, averaged], ["tc_adaptive_avg_pool", adaptive, wanted]] as const;
        for (const [kernel, fields, n] of each) {
          compare(libraries, {
            kernel,
            label,
            fields: { ...fields, x: new Buffer(dtype, inside, modest), y: result(dtype, n, 9, modest) },
          });
          compare(libraries, {
            kernel: `${kernel}_backward`,
            label,
            fields: { ...fields, x: result(dtype, inside, 27, modest), y: new Buffer(dtype, n, modest) },
          });
        }
      }
    }
  },
};

const normalisation: Check = {
  name: "batch, layer and group normalisation and their gradients",
  run(libraries) {
    const r = new Random(8300);
    for (const dtype of FLOATS) {
      for (let i = 0; i < 6; i++) {
        const param_dtype = dtype === F16 || dtype === BF16 ? r.pick([dtype, F32]) : dtype,
          stats = dtype === F64 ? F64 : F32;
        const groups = r.int(1, 3),
          channels = groups * r.int(1, 3),
          batch = r.int(2, 4),
          spatial = r.pick([1, 7, 40, 300]);
        const n = batch * channels * spatial, fill = numbers(r, dtype), positive = () => 0.5 + r.next();
        const label = JSON.stringify({ dtype, param_dtype, groups, channels, batch, spatial });
        const x = () => new Buffer(dtype, n, fill), maybe = (b: Buffer) => r.chance(0.8) ? b : 0;
        const weight = () => maybe(new Buffer(param_dtype, channels, fill));
        const training = r.int(0, 1), shape = { dtype, param_dtype, batch, channels, spatial, eps: 1e-5 };
        compare(libraries, {
          kernel: "tc_batch_norm",
          label: `${label} ${training}`,
          fields: {
            ...shape,
            training,
            momentum: 0.3,
            x: x(),
            y: result(dtype, n, 4, fill),
            weight: weight(),
            bias: weight(),
            running_mean: result(param_dtype, channels, 1, fill),
            running_var: result(param_dtype, channels, 1, positive),
            save_mean: training ? result(stats, channels, 1, fill) : 0,
            save_invstd: training ? result(stats, channels, 1, fill) : 0,
          },
        });
        compare(libraries, {
          kernel: "tc_batch_norm_backward",
          label: `${label} ${training}`,
          fields: {
            ...shape,
            training,
            x: x(),
            dy: x(),
            weight: weight(),
            running_mean: new Buffer(param_dtype, channels, fill),
            running_var: new Buffer(param_dtype, channels, positive),
            save_mean: new Buffer(stats, channels, fill),
            save_invstd: new Buffer(stats, channels, positive),
            dx: maybe(result(dtype, n, 60, fill)),
            dweight: maybe(result(param_dtype, channels, n * 9, fill)),
            dbias: maybe(result(param_dtype, channels, n * 4, fill)),
          },
        });
        const rows = batch * channels, cols = spatial;
        const kinds = [
          ["layer_norm", { dtype, param_dtype, rows, cols, eps: 1e-5 }, rows, cols],
          ["group_norm", { ...shape, groups }, batch * groups, channels],
        ] as const;
        for (const [name, fields, means, params] of kinds) {
          if (name === "layer_norm" && cols === 1) continue; // a row of one element has no variance
          const param = () => maybe(new Buffer(param_dtype, params, fill));
          compare(libraries, {
            kernel: `tc_${name}`,
            label: `${name} ${label}`,
            fields: {
              ...fields,
              x: x(),
              y: result(dtype, n, 30, fill),
              weight: param(),
              bias: param(),
              mean: result(stats, means, 1, fill),
              rstd: result(stats, means, 1, fill),
            },
          });
          compare(libraries, {
            kernel: `tc_${name}_backward`,
            label: `${name} ${label}`,
            fields: {
              ...fields,
              x: x(),
              dy: x(),
              weight: param(),
              mean: new Buffer(stats, means, fill),
              rstd: new Buffer(stats, means, positive),
              dx: result(dtype, n, 300, fill),
              dweight: maybe(result(param_dtype, params, n * 9, fill)),
              dbias: maybe(result(param_dtype, params, n * 4, fill)),
            },
          });
        }
      }
    }
  },
};

export const layerChecks: Check[] = [convolution, pooling, normalisation];
