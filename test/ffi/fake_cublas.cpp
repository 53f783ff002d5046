// What blas.cu calls of cuBLAS, computed plainly on the processor: shows that operations, leading dimensions, strides and
// types arrive as cuBLAS (column-major) understands them. Prints at the end how many products it was asked for.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {
long products = 0;
struct Report {
  ~Report() { std::fprintf(stderr, "fake cublas: %ld products\n", products); }
} report;

enum { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };

double load(const void *p, int type, long long i) {
  switch (type) {
    case R_32F: return static_cast<const float *>(p)[i];
    case R_64F: return static_cast<const double *>(p)[i];
    case R_16BF: {
      const uint32_t bits = uint32_t(static_cast<const uint16_t *>(p)[i]) << 16;
      float f;
      std::memcpy(&f, &bits, 4);
      return f;
    }
    default: {
      const uint16_t h = static_cast<const uint16_t *>(p)[i];
      const int exponent = h >> 10 & 31, fraction = h & 1023;
      const double sign = h & 0x8000 ? -1 : 1;
      if (exponent == 31) return fraction ? NAN : sign * INFINITY;
      return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
    }
  }
}

void store(void *p, int type, long long i, double v) {
  switch (type) {
    case R_32F: static_cast<float *>(p)[i] = float(v); return;
    case R_64F: static_cast<double *>(p)[i] = v; return;
    case R_16BF: {
      const float f = float(v);
      uint32_t bits;
      std::memcpy(&bits, &f, 4);
      static_cast<uint16_t *>(p)[i] = uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
      return;
    }
    default: {
      const double a = std::fabs(v);
      const uint16_t sign = std::signbit(v) ? 0x8000 : 0;
      int exponent = a > 0 ? std::ilogb(a) : -15;
      if (exponent < -14) exponent = -14;
      const long units = std::lrint(std::ldexp(a, 10 - exponent));  // halves to even
      static_cast<uint16_t *>(p)[i] = uint16_t(sign + (exponent == -14 ? units : ((exponent + 14) << 10) + units));
    }
  }
}
}  // namespace

extern "C" int cublasCreate_v2(void **handle) {
  static int one;
  *handle = &one;
  return 0;
}
extern "C" int cublasSetStream_v2(void *, void *) { return 0; }

extern "C" int cublasGemmStridedBatchedEx(void *handle, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *a,
                                          int a_type, int lda, long long stride_a, const void *b, int b_type, int ldb,
                                          long long stride_b, const void *beta, void *c, int c_type, int ldc, long long stride_c,
                                          int batch, int compute, int algorithm) {
  // What cuBLAS refuses with CUBLAS_STATUS_INVALID_VALUE.
  if (!handle || lda < (op_a == 0 ? m : k) || ldb < (op_b == 0 ? k : n) || ldc < m || algorithm != -1) return 7;
  if ((compute == 70) != (a_type == R_64F) || a_type != b_type || b_type != c_type) return 15;
  products++;
  const double scale = compute == 70 ? *static_cast<const double *>(alpha) : *static_cast<const float *>(alpha);
  const double keep = compute == 70 ? *static_cast<const double *>(beta) : *static_cast<const float *>(beta);
  for (long long l = 0; l < batch; l++)
    for (long long j = 0; j < n; j++)
      for (long long i = 0; i < m; i++) {
        double sum = 0;
        for (long long p = 0; p < k; p++)
          sum += load(a, a_type, l * stride_a + (op_a == 0 ? i + p * lda : p + i * lda)) *
                 load(b, b_type, l * stride_b + (op_b == 0 ? p + j * ldb : j + p * ldb));
        const long long at = l * stride_c + i + j * ldc;
        store(c, c_type, at, scale * sum + (keep != 0 ? keep * load(c, c_type, at) : 0));
      }
  return 0;
}
