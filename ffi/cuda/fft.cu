// Fourier transforms, and complex numbers where parts cannot be treated one by one (tc_complex.h).
//
// A transform is a pass for each factor of n (self-sorting, after Stockham; Cochran et al. 1967): with l the product of
// the factors before, r this one and m = n / (l r), y[k m + p] = sum over q < r of w_n^(q k m) x[(k mod l) r m + p + q m].
// Every element of every transform is a thread of its own. A large prime factor takes as many steps as it is large.
#include "common.cuh"

namespace tc {
namespace {

template <class R> TC_FN complex_t<R> times(complex_t<R> a, complex_t<R> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// A plan: the roots of unity exp(-2 pi i k / n).
template <class R> __global__ void roots_kernel(complex_t<R> *roots, int64_t n) {
  for (int64_t k = thread_index(); k < n; k += thread_count()) {
    const double turn = -6.283185307179586476925286766559 * (double(k) / double(n));
    roots[k] = {R(cos(turn)), R(sin(turn))};
  }
}

struct Shape {
  int64_t n, in_stride, out_stride, count, kept;  // kept: coefficients that are stored
  int kind, inverse;
};

// Brings the signals together; half of a conjugate-even one is made from the other.
template <class R>
__global__ void load_kernel(const void *in, complex_t<R> *x, TC_ARG(Shape) s, TC_ARG(Space<2>) space) {
  for (int64_t i = thread_index(); i < s.count * s.n; i += thread_count()) {
    int64_t at[2], k = i % s.n;
    space.offsets(i / s.n, at);
    if (s.kind == TC_FFT_R2C) {
      x[i] = {static_cast<const R *>(in)[at[1] + k * s.in_stride], R(0)};
      continue;
    }
    const bool mirrored = s.kind == TC_FFT_C2R && k > s.n / 2;
    complex_t<R> v = static_cast<const complex_t<R> *>(in)[at[1] + (mirrored ? s.n - k : k) * s.in_stride];
    if (mirrored) v.im = -v.im;
    if (s.kind == TC_FFT_C2R && (k == 0 || 2 * k == s.n)) v.im = 0;
    x[i] = v;
  }
}

template <class R>
__global__ void pass_kernel(const complex_t<R> *x, complex_t<R> *y, const complex_t<R> *roots, TC_ARG(Shape) s, int64_t l,
                            int64_t r) {
  const int64_t m = s.n / (l * r);
  for (int64_t i = thread_index(); i < s.count * s.n; i += thread_count()) {
    const int64_t line = i / s.n, at = i - line * s.n, k = at / m, p = at - k * m;
    const complex_t<R> *const from = x + line * s.n + k % l * r * m + p;
    complex_t<R> sum = from[0];
    int64_t turn = 0;  // q k modulo l r
    for (int64_t q = 1; q < r; q++) {
      turn += k;
      if (turn >= l * r) turn -= l * r;
      complex_t<R> w = roots[turn * m];
      if (s.inverse) w.im = -w.im;
      const complex_t<R> v = times(w, from[q * m]);
      sum = {sum.re + v.re, sum.im + v.im};
    }
    y[i] = sum;
  }
}

template <class R>
__global__ void store_kernel(const complex_t<R> *x, void *out, R scale, TC_ARG(Shape) s, TC_ARG(Space<2>) space) {
  for (int64_t i = thread_index(); i < s.count * s.kept; i += thread_count()) {
    int64_t at[2];
    const int64_t k = i % s.kept;
    space.offsets(i / s.kept, at);
    const complex_t<R> v = x[i / s.kept * s.n + k];
    if (s.kind == TC_FFT_C2R) static_cast<R *>(out)[at[0] + k * s.out_stride] = v.re * scale;
    else static_cast<complex_t<R> *>(out)[at[0] + k * s.out_stride] = {v.re * scale, v.im * scale};
  }
}

template <class R> void transform(const Frame &f, const tc_fft_args *a, const Shape &s, const Space<2> &space) {
  complex_t<R> *x = TC_PTR(complex_t<R>, a->scratch), *y = x + s.count * s.n;
  const unsigned blocks = f.blocks(s.count * s.n, 256);
  TC_LAUNCH(load_kernel<R>, blocks, 256, 0, f.stream, TC_PTR(const void, a->in), x, s, space);
  int64_t l = 1, rest = s.n;
  for (int64_t r = 4; rest > 1; l *= r, rest /= r) {
    while (rest % r != 0) r = r == 4 ? 2 : r == 2 ? 3 : r * r > rest ? rest : r + 2;
    TC_LAUNCH(pass_kernel<R>, blocks, 256, 0, f.stream, static_cast<const complex_t<R> *>(x), y,
              TC_PTR(const complex_t<R>, a->plan), s, l, r);
    complex_t<R> *const swap = x;
    x = y;
    y = swap;
  }
  TC_LAUNCH(store_kernel<R>, f.blocks(s.count * s.kept, 256), 256, 0, f.stream, static_cast<const complex_t<R> *>(x),
            TC_PTR(void, a->out), R(a->scale), s, space);
}

template <class R> __global__ void expand_kernel(TC_ARG(tc_complex_expand_args) a) {
  const complex_t<R> alpha = {R(a.alpha_re), R(a.alpha_im)};
  for (int64_t i = thread_index(); i < a.batch * a.k * a.n; i += thread_count()) {
    const int64_t l = i % a.n, j = i / a.n % a.k, b = i / a.n / a.k;
    const complex_t<R> w = times(alpha, TC_PTR(const complex_t<R>, a.in)[b * a.in_bs + j * a.in_rs + l * a.in_cs]);
    R *const out = TC_PTR(R, a.out) + (b * 2 * a.k + 2 * j) * 2 * a.n + 2 * l;
    out[0] = w.re;
    out[1] = w.im;
    out[2 * a.n] = -w.im;
    out[2 * a.n + 1] = w.re;
  }
}

template <class R> __global__ void prod_kernel(TC_ARG(tc_complex_prod_args) a) {
  for (int64_t line = thread_index(); line < a.outer * a.inner; line += thread_count()) {
    const int64_t o = line / a.inner, i = line % a.inner;
    const complex_t<R> *const in = TC_PTR(const complex_t<R>, a.in) + o * a.n * a.inner + i;
    complex_t<R> *const out = TC_PTR(complex_t<R>, a.out) + o * (a.cumulative ? a.n : 1) * a.inner + i;
    complex_t<R> product = {R(1), R(0)};
    for (int64_t k = 0; k < a.n; k++) {
      product = times(product, in[k * a.inner]);
      if (a.cumulative) out[k * a.inner] = product;
    }
    if (!a.cumulative) *out = product;
  }
}

int64_t count_of(const tc_fft_args *a) {
  int64_t count = 1;
  for (int64_t d = 0; d < a->ndim; d++) count *= a->shape[d];
  return count;
}
bool is_supported(int64_t dtype) { return dtype == TC_F32 || dtype == TC_F64; }

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_fft_plan_scratch) int64_t tc_fft_plan_scratch(const tc_fft_plan_args *) { return 0; }

TC_EXPORT(tc_fft_plan) int32_t tc_fft_plan(const tc_fft_plan_args *a) {
  const Frame f(TC_KERNEL_fft_plan);
  if (f.status != TC_OK) return f.status;
  if (!is_supported(a->dtype)) return unsupported(a->dtype);
  if (!a->out) {
    tc_error_info[0] = a->n * 2 * tc_dtype_size(a->dtype);
    return TC_OK;
  }
  const unsigned blocks = f.blocks(a->n, 256);
  if (a->dtype == TC_F32) TC_LAUNCH(roots_kernel<float>, blocks, 256, 0, f.stream, TC_PTR(complex_t<float>, a->out), a->n);
  else TC_LAUNCH(roots_kernel<double>, blocks, 256, 0, f.stream, TC_PTR(complex_t<double>, a->out), a->n);
  return f.end();
}

TC_EXPORT(tc_fft_scratch) int64_t tc_fft_scratch(const tc_fft_args *a) {
  return 2 * count_of(a) * a->n * 2 * tc_dtype_size(a->dtype);
}

TC_EXPORT(tc_fft) int32_t tc_fft(const tc_fft_args *a) {
  const Frame f(TC_KERNEL_fft);
  if (f.status != TC_OK) return f.status;
  if (!is_supported(a->dtype)) return unsupported(a->dtype);
  Space<2> space;
  bool fits = true;
  for (int64_t d = 0; d < a->ndim; d++) fits &= space.add(a->shape[d], a->stride[d]);
  if (!fits) return unsupported(a->dtype, a->kind);
  space.finish();
  const int64_t kept = a->kind == TC_FFT_R2C ? a->n / 2 + 1 : a->n;
  const Shape s = {a->n, a->in_stride, a->out_stride, space.count, kept, int(a->kind), int(a->inverse != 0)};
  if (s.count * s.n == 0) return TC_OK;
  if (a->dtype == TC_F32) transform<float>(f, a, s, space);
  else transform<double>(f, a, s, space);
  return f.end();
}

TC_EXPORT(tc_complex_expand) int32_t tc_complex_expand(const tc_complex_expand_args *a) {
  const Frame f(TC_KERNEL_complex_expand);
  const int64_t size = a->batch * a->k * a->n;
  if (f.status != TC_OK || size == 0) return f.status;
  if (a->dtype == TC_C64) TC_LAUNCH(expand_kernel<float>, f.blocks(size, 256), 256, 0, f.stream, *a);
  else if (a->dtype == TC_C128) TC_LAUNCH(expand_kernel<double>, f.blocks(size, 256), 256, 0, f.stream, *a);
  else return unsupported(a->dtype);
  return f.end();
}

TC_EXPORT(tc_complex_prod) int32_t tc_complex_prod(const tc_complex_prod_args *a) {
  const Frame f(TC_KERNEL_complex_prod);
  const int64_t lines = a->outer * a->inner;
  if (f.status != TC_OK || lines == 0) return f.status;
  if (a->dtype == TC_C64) TC_LAUNCH(prod_kernel<float>, f.blocks(lines, 128), 128, 0, f.stream, *a);
  else if (a->dtype == TC_C128) TC_LAUNCH(prod_kernel<double>, f.blocks(lines, 128), 128, 0, f.stream, *a);
  else return unsupported(a->dtype);
  return f.end();
}
