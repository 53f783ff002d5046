// Batch normalisation: sums over each channel, then one pass over the elements.
#include "norm.cuh"

namespace tc {
namespace {

// Sums of x - shift and of its square; the channel's first element is the shift, which keeps the digits.
template <class T> struct SquareTerm {
  using Compute = compute_t<T>;
  const T *x;
  int64_t spatial;
  TC_FN void operator()(int64_t at, int64_t c, int64_t, Compute *a, Compute *b) const {
    const Compute d = convert<Compute>(x[at]) - convert<Compute>(x[c * spatial]);
    *a += d;
    *b += d * d;
  }
};

// Sums of dy and of dy * (x - mean).
template <class T> struct ProductTerm {
  using Compute = compute_t<T>;
  const T *x, *dy;
  const double *centre;
  TC_FN void operator()(int64_t at, int64_t c, int64_t, Compute *a, Compute *b) const {
    const Compute g = convert<Compute>(dy[at]);
    *a += g;
    *b += g * (convert<Compute>(x[at]) - Compute(centre[c]));
  }
};

// What is done to each element of a channel: y = (x - centre) * scale + shift, or the gradient's factors.
struct Factors { double centre, scale, slope, shift; };

// The workspace: sums of all parts, then the centres and the factors of all channels.
struct Workspace {
  Pair *sums;
  double *centre;
  Factors *factors;
  Workspace(uint64_t scratch, int64_t parts, int64_t channels)
      : sums(TC_PTR(Pair, scratch)), centre(reinterpret_cast<double *>(sums + parts * channels)),
        factors(reinterpret_cast<Factors *>(centre + channels)) {}
};

template <class R> __global__ void statistics_kernel(TC_ARG(tc_batch_norm_args) a, const Pair *sums, int64_t parts, const void *x,
                                                     Factors *factors) {
  const int64_t stats = stat_dtype(a.dtype);
  for (int64_t c = thread_index(); c < a.channels; c += thread_count()) {
    double mean, invstd;
    if (a.training) {
      const double count = double(a.batch * a.spatial);
      const Pair s = join_parts(sums, parts, a.channels, c);
      const double all = load_as<double>(int(a.dtype), x, c * a.spatial) + s.a / count;
      const double m2 = s.b - s.a * s.a / count;
      // Rounded where PyTorch rounds: the mean before it centres the squares, their sum before it becomes a variance.
      mean = double(R(all));
      const double squares = double(R((m2 > 0 ? m2 : s.b == s.b ? 0 : s.b) + (all - mean) * (all - mean) * count));
      invstd = 1 / sqrt(squares / count + a.eps);
      put_one(a.save_mean, stats, c, mean);
      put_one(a.save_invstd, stats, c, invstd);
      const double keep = 1 - a.momentum;
      put_one(a.running_mean, a.param_dtype, c,
              a.momentum * mean + keep * get_one(a.running_mean, a.param_dtype, c, 0));
      put_one(a.running_var, a.param_dtype, c,
              a.momentum * (squares / (count - 1)) + keep * get_one(a.running_var, a.param_dtype, c, 0));
    } else {
      mean = get_one(a.running_mean, a.param_dtype, c, 0);
      invstd = 1 / sqrt(get_one(a.running_var, a.param_dtype, c, 0) + a.eps);
    }
    factors[c] = {mean, invstd * get_one(a.weight, a.param_dtype, c, 1), 0, get_one(a.bias, a.param_dtype, c, 0)};
  }
}

TC_FN Pair saved_statistics(const tc_batch_norm_args &a, int64_t c) {
  if (a.training) return {get_one(a.save_mean, stat_dtype(a.dtype), c, 0), get_one(a.save_invstd, stat_dtype(a.dtype), c, 0)};
  return {get_one(a.running_mean, a.param_dtype, c, 0), 1 / sqrt(get_one(a.running_var, a.param_dtype, c, 0) + a.eps)};
}

template <class R> __global__ void centres_kernel(TC_ARG(tc_batch_norm_args) a, double *centre) {
  for (int64_t c = thread_index(); c < a.channels; c += thread_count()) centre[c] = double(R(saved_statistics(a, c).a));
}

__global__ void gradients_kernel(TC_ARG(tc_batch_norm_args) a, const Pair *sums, int64_t parts, Factors *factors) {
  for (int64_t c = thread_index(); c < a.channels; c += thread_count()) {
    const Pair s = saved_statistics(a, c), p = join_parts(sums, parts, a.channels, c);
    const double scale = s.b * get_one(a.weight, a.param_dtype, c, 1), count = double(a.batch * a.spatial);
    Factors f = {s.a, scale, 0, 0};
    if (a.training) {
      f.slope = scale * p.b * s.b * s.b / count;
      f.shift = scale * p.a / count;
    }
    factors[c] = f;
    put_one(a.dweight, a.param_dtype, c, p.b * s.b);
    put_one(a.dbias, a.param_dtype, c, p.a);
  }
}

template <class T, bool BACKWARD>
__global__ void apply_kernel(const T *x, const T *dy, T *out, const Factors *factors, TC_ARG(Channels) s) {
  using C = compute_t<T>;
  const int64_t total = s.batch * s.channels * s.spatial;
  for (int64_t i = thread_index(); i < total; i += thread_count()) {
    const Factors &f = factors[i / s.spatial % s.channels];
    const C d = convert<C>(x[i]) - C(f.centre);
    out[i] = convert<T>(BACKWARD ? convert<C>(dy[i]) * C(f.scale) - d * C(f.slope) - C(f.shift) : d * C(f.scale) + C(f.shift));
  }
}

int64_t scratch_of(const tc_batch_norm_args *a) {
  int32_t status;
  const Device *const device = current_device(&status);
  if (status != TC_OK) return 0;
  const int64_t parts = parts_of({a->batch, a->channels, a->spatial}, device);
  return a->channels * int64_t(parts * int64_t(sizeof(Pair)) + int64_t(sizeof(double)) + int64_t(sizeof(Factors)));
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_batch_norm_scratch) int64_t tc_batch_norm_scratch(const tc_batch_norm_args *a) { return scratch_of(a); }
TC_EXPORT(tc_batch_norm_backward_scratch) int64_t tc_batch_norm_backward_scratch(const tc_batch_norm_args *a) {
  return scratch_of(a);
}

TC_EXPORT(tc_batch_norm) int32_t tc_batch_norm(const tc_batch_norm_args *a) {
  const Frame f(TC_KERNEL_batch_norm);
  if (f.status != TC_OK || a->channels == 0) return f.status;
  if (!norm_dtypes(a->dtype, a->param_dtype)) return unsupported(a->dtype);
  const Channels s = {a->batch, a->channels, a->spatial};
  const int64_t parts = parts_of(s, f.device), total = s.batch * s.channels * s.spatial;
  const Workspace w(a->scratch, parts, a->channels);
  with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *const x = TC_PTR(const T, a->x);
    if (a->training) launch_channel_sums(f, s, SquareTerm<T>{x, a->spatial}, w.sums);
    TC_LAUNCH(statistics_kernel<compute_t<T>>, f.blocks(a->channels, 128), 128, 0, f.stream, *a, w.sums, parts, x, w.factors);
    if (total > 0)
      TC_LAUNCH((apply_kernel<T, false>), f.blocks(total, 1024), 256, 0, f.stream, x, x, TC_PTR(T, a->y), w.factors, s);
  });
  return f.end();
}

TC_EXPORT(tc_batch_norm_backward) int32_t tc_batch_norm_backward(const tc_batch_norm_args *a) {
  const Frame f(TC_KERNEL_batch_norm_backward);
  if (f.status != TC_OK || a->channels == 0) return f.status;
  if (!norm_dtypes(a->dtype, a->param_dtype)) return unsupported(a->dtype);
  const Channels s = {a->batch, a->channels, a->spatial};
  const int64_t parts = parts_of(s, f.device), total = s.batch * s.channels * s.spatial;
  const Workspace w(a->scratch, parts, a->channels);
  with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *const x = TC_PTR(const T, a->x), *const dy = TC_PTR(const T, a->dy);
    const unsigned blocks = f.blocks(a->channels, 128);
    TC_LAUNCH(centres_kernel<compute_t<T>>, blocks, 128, 0, f.stream, *a, w.centre);
    launch_channel_sums(f, s, ProductTerm<T>{x, dy, w.centre}, w.sums);
    TC_LAUNCH(gradients_kernel, blocks, 128, 0, f.stream, *a, w.sums, parts, w.factors);
    if (a->dx && total > 0)
      TC_LAUNCH((apply_kernel<T, true>), f.blocks(total, 1024), 256, 0, f.stream, x, dy, TC_PTR(T, a->dx), w.factors, s);
  });
  return f.end();
}
