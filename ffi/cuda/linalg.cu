// Factorisations and solves of batches of matrices: a block works on one matrix, step after step, its threads sharing the
// rows and columns of each step.
#include "words.cuh"

namespace tc {
namespace {

constexpr int kThreads = 256;

// Calls fn(r, c) for all places of a rows by cols range, columns fastest.
template <class F> TC_FN void each(int64_t rows, int64_t cols, F fn) {
  for (int64_t i = threadIdx.x; i < rows * cols; i += kThreads) fn(i / cols, i % cols);
}

template <class V, class F> TC_FN V over_block(V value, F combine) {
  __shared__ __align__(16) unsigned char memory[kThreads * sizeof(V)];
  V *const shared = reinterpret_cast<V *>(memory);
  __syncthreads();
  shared[threadIdx.x] = value;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (int(threadIdx.x) < half) shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
  }
  __syncthreads();
  return shared[0];
}

template <class R> struct Largest { R size; int64_t at; };
template <class R> struct TakeLarger {  // the first of equal ones
  TC_FN Largest<R> operator()(Largest<R> a, Largest<R> b) const {
    return b.size > a.size || (b.size == a.size && b.at < a.at) ? b : a;
  }
};

template <class R> TC_FN void swap_rows(R *a, int64_t cols, int64_t i, int64_t j) {
  if (i != j)
    each(1, cols, [&](int64_t, int64_t c) {
      const R t = a[i * cols + c];
      a[i * cols + c] = a[j * cols + c];
      a[j * cols + c] = t;
    });
  __syncthreads();
}

template <class R> TC_FN int32_t lu(R *a, int64_t m, int64_t n, int32_t *pivots) {
  int32_t info = 0;
  for (int64_t j = 0; j < m && j < n; j++) {
    Largest<R> mine = {R(-1), INT64_MAX};
    for (int64_t i = j + threadIdx.x; i < m; i += kThreads) mine = TakeLarger<R>()(mine, {v_abs(a[i * n + j]), i});
    Largest<R> best = over_block(mine, TakeLarger<R>());
    if (best.at == INT64_MAX) best.at = j;  // nothing but NaN
    if (threadIdx.x == 0) pivots[j] = int32_t(best.at + 1);
    if (a[best.at * n + j] == R(0)) {
      if (info == 0) info = int32_t(j + 1);
      continue;
    }
    __syncthreads();
    swap_rows(a, n, j, best.at);
    const R pivot = a[j * n + j];
    each(m - j - 1, 1, [&](int64_t i, int64_t) { a[(j + 1 + i) * n + j] /= pivot; });
    __syncthreads();
    each(m - j - 1, n - j - 1, [&](int64_t i, int64_t c) {
      a[(j + 1 + i) * n + j + 1 + c] -= a[(j + 1 + i) * n + j] * a[j * n + j + 1 + c];
    });
    __syncthreads();
  }
  return info;
}

// b = a^-1 b: row by row, each finished row at once subtracted from those that wait for it.
// transposed: b = a^-T b. A step reads a row of a^T, which is a column of a.
template <class R>
TC_FN void triangular(const R *a, R *b, int64_t n, int64_t k, bool upper, bool unit, bool transposed) {
  const int64_t rs = transposed ? 1 : n, cs = transposed ? n : 1;
  if (transposed) upper = !upper;
  for (int64_t s = 0; s < n; s++) {
    const int64_t i = upper ? n - 1 - s : s, first = upper ? 0 : i + 1, rest = n - 1 - s;
    if (!unit) {
      each(1, k, [&](int64_t, int64_t c) { b[i * k + c] /= a[i * n + i]; });
      __syncthreads();
    }
    each(rest, k, [&](int64_t r, int64_t c) {
      const R factor = a[(first + r) * rs + i * cs];
      if (factor != R(0)) b[(first + r) * k + c] -= factor * b[i * k + c];
    });
    __syncthreads();
  }
}

// Exchanges rows as pivots say, last to first if `undo`. Pivots that a caller made up must not lead out of the matrix.
template <class R>
TC_FN void row_swaps(R *a, int64_t rows, int64_t cols, const int32_t *pivots, int64_t count, bool undo) {
  for (int64_t s = 0; s < count; s++) {
    const int64_t i = undo ? count - 1 - s : s, p = int64_t(pivots[i]) - 1;
    if (p >= 0 && p < rows) swap_rows(a, cols, i, p);
  }
}

template <class R>
TC_FN void lu_solve(const R *a, R *b, int64_t n, int64_t k, const int32_t *pivots, bool transposed) {
  if (!transposed) row_swaps(b, n, k, pivots, n, false);
  triangular(a, b, n, k, transposed, !transposed, transposed);
  triangular(a, b, n, k, !transposed, transposed, transposed);
  if (transposed) row_swaps(b, n, k, pivots, n, true);
}

template <class R> TC_FN int32_t cholesky(R *a, int64_t n) {
  each(n, n, [&](int64_t i, int64_t c) {
    if (c > i) a[i * n + c] = 0;
  });
  for (int64_t j = 0; j < n; j++) {
    __syncthreads();
    const R d = a[j * n + j];
    if (!(d > R(0))) return int32_t(j + 1);
    const R root = v_sqrt(d);
    __syncthreads();
    each(n - j, 1, [&](int64_t i, int64_t) { a[(j + i) * n + j] = i == 0 ? root : a[(j + i) * n + j] / root; });
    __syncthreads();
    each(n - j - 1, n - j - 1, [&](int64_t i, int64_t c) {
      if (c <= i) a[(j + 1 + i) * n + j + 1 + c] -= a[(j + 1 + i) * n + j] * a[(j + 1 + c) * n + j];
    });
  }
  return 0;
}

// Applies I - tau v v^T, v = (1, column j of a below the diagonal), to columns [from, n) of a, rows from j: a thread
// takes a column.
template <class R> TC_FN void reflect(R *a, int64_t m, int64_t n, int64_t j, R tau, int64_t from) {
  for (int64_t c = from + threadIdx.x; c < n; c += kThreads) {
    R dot = a[j * n + c];
    for (int64_t i = j + 1; i < m; i++) dot += a[i * n + j] * a[i * n + c];
    dot *= tau;
    a[j * n + c] -= dot;
    for (int64_t i = j + 1; i < m; i++) a[i * n + c] -= dot * a[i * n + j];
  }
  __syncthreads();
}

template <class R> TC_FN void geqrf(R *a, int64_t m, int64_t n, R *tau) {
  for (int64_t j = 0; j < m && j < n; j++) {
    double mine = 0;
    for (int64_t i = j + 1 + threadIdx.x; i < m; i += kThreads) mine += double(a[i * n + j]) * double(a[i * n + j]);
    const double below = over_block(mine, [](double x, double y) { return x + y; });
    const double alpha = double(a[j * n + j]);
    if (below == 0) {
      if (threadIdx.x == 0) tau[j] = 0;
      continue;
    }
    const double beta = alpha >= 0 ? -sqrt(alpha * alpha + below) : sqrt(alpha * alpha + below);
    const R factor = R((beta - alpha) / beta), scale = R(1 / (alpha - beta));
    if (threadIdx.x == 0) tau[j] = factor;
    each(m - j - 1, 1, [&](int64_t i, int64_t) { a[(j + 1 + i) * n + j] *= scale; });
    __syncthreads();
    reflect(a, m, n, j, factor, j + 1);
    if (threadIdx.x == 0) a[j * n + j] = R(beta);
    __syncthreads();
  }
}

// Backwards through the reflectors, each column of the identity taking shape in the place of its reflector.
template <class R> TC_FN void orgqr(R *a, int64_t m, int64_t n, int64_t k, const R *tau) {
  each(m, n - k, [&](int64_t i, int64_t c) { a[i * n + k + c] = R(i == k + c); });
  __syncthreads();
  for (int64_t j = k - 1; j >= 0; j--) {
    reflect(a, m, n, j, tau[j], j + 1);
    each(m, 1, [&](int64_t i, int64_t) {
      a[i * n + j] = i < j ? R(0) : i == j ? R(1) - tau[j] : -tau[j] * a[i * n + j];
    });
    __syncthreads();
  }
}

enum Work { LU, LU_SOLVE, ROW_SWAPS, CHOLESKY, GEQRF, ORGQR, TRIANGULAR };

template <class R, int WORK> __global__ void __launch_bounds__(kThreads) linalg_kernel(TC_ARG(tc_linalg_args) a) {
  const int64_t steps = a.m < a.n ? a.m : a.n;
  for (int64_t i = blockIdx.x; i < a.batch; i += gridDim.x) {
    R *const x = TC_PTR(R, a.a) + i * a.m * a.n, *const b = TC_PTR(R, a.b) + i * a.n * a.k;
    R *const tau = TC_PTR(R, a.values) + i * (WORK == ORGQR ? a.k : steps);
    int32_t *const pivots = TC_PTR(int32_t, a.pivots) + i * (WORK == ROW_SWAPS ? a.k : steps);
    int32_t info = 0;
    if constexpr (WORK == LU) info = lu(x, a.m, a.n, pivots);
    else if constexpr (WORK == LU_SOLVE) lu_solve(x, b, a.n, a.k, pivots, a.transposed);
    else if constexpr (WORK == ROW_SWAPS) row_swaps(x, a.m, a.n, pivots, a.k, a.transposed);
    else if constexpr (WORK == CHOLESKY) info = cholesky(x, a.n);
    else if constexpr (WORK == GEQRF) geqrf(x, a.m, a.n, tau);
    else if constexpr (WORK == ORGQR) orgqr(x, a.m, a.n, a.k, tau);
    else triangular(x, b, a.n, a.k, a.upper, a.unit, a.transposed);
    if (a.info && threadIdx.x == 0) TC_PTR(int32_t, a.info)[i] = info;
    __syncthreads();
  }
}

template <int WORK> int32_t run(int number, const tc_linalg_args *a) {
  const Frame f(number);
  if (f.status != TC_OK || a->batch == 0) return f.status;
  const unsigned blocks = f.blocks(a->batch, 1);
  if (a->dtype == TC_F32) TC_LAUNCH((linalg_kernel<float, WORK>), blocks, kThreads, 0, f.stream, *a);
  else if (a->dtype == TC_F64) TC_LAUNCH((linalg_kernel<double, WORK>), blocks, kThreads, 0, f.stream, *a);
  else return unsupported(a->dtype);
  return f.end();
}

}  // namespace
}  // namespace tc

using namespace tc;

#define LINALG(name, WORK)                                                                              \
  TC_EXPORT(tc_##name) int32_t tc_##name(const tc_linalg_args *a) { return run<WORK>(TC_KERNEL_##name, a); } \
  TC_EXPORT(tc_##name##_scratch) int64_t tc_##name##_scratch(const tc_linalg_args *) { return 0; }
LINALG(lu, LU)
LINALG(lu_solve, LU_SOLVE)
LINALG(row_swaps, ROW_SWAPS)
LINALG(cholesky, CHOLESKY)
LINALG(geqrf, GEQRF)
LINALG(orgqr, ORGQR)
LINALG(triangular_solve, TRIANGULAR)
