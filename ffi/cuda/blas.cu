// Matrix products through cuBLAS, loaded at run time where it is installed: the library needs nothing but the driver.
// The declarations below are cuBLAS's stable C interface (cublas_api.h), versions 11 to 13.
//
// The environment variable TSTORCH_CUBLAS_LIB names the library to load, or, with an empty value or "0", none.
#include <dlfcn.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "matmul.cuh"
#include "words.cuh"

namespace tc {
namespace {

using Handle = void *;
enum { OP_N = 0, OP_T = 1 };
enum { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };  // cudaDataType
enum { COMPUTE_32F = 68, COMPUTE_64F = 70 };            // cublasComputeType_t: no TF32 unless asked for
enum { GEMM_DEFAULT = -1 };

struct Blas {
  int (*create)(Handle *);
  int (*set_stream)(Handle, cudaStream_t);
  int (*gemm)(Handle, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *a, int a_type, int lda,
              long long stride_a, const void *b, int b_type, int ldb, long long stride_b, const void *beta, void *c,
              int c_type, int ldc, long long stride_c, int batch, int compute, int algorithm);
  bool there = false;
};

bool open_library(Blas *blas, const char *name) {
  void *const library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return false;
  blas->create = reinterpret_cast<decltype(blas->create)>(dlsym(library, "cublasCreate_v2"));
  blas->set_stream = reinterpret_cast<decltype(blas->set_stream)>(dlsym(library, "cublasSetStream_v2"));
  blas->gemm = reinterpret_cast<decltype(blas->gemm)>(dlsym(library, "cublasGemmStridedBatchedEx"));
  blas->there = blas->create && blas->set_stream && blas->gemm;
  return blas->there;
}

Blas load() {
  Blas blas;
  const char *const wanted = std::getenv("TSTORCH_CUBLAS_LIB");
  if (wanted) {
    if (*wanted && std::strcmp(wanted, "0") != 0 && !open_library(&blas, wanted))
      std::fprintf(stderr, "tstorch: TSTORCH_CUBLAS_LIB: %s\n", dlerror());
    return blas;
  }
#if defined(__CUDACC__)
  for (const char *name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"})
    if (open_library(&blas, name)) break;
#endif
  return blas;
}

const Blas &blas() {
  static const Blas instance = load();
  return instance;
}

// One operand as a column-major matrix: cuBLAS's operation and leading dimension; false if neither stride is 1.
// `rows` x `cols` is the row-major view, which column-major reading transposes.
bool layout(int64_t rs, int64_t cs, int64_t rows, int64_t cols, int *op, int *ld) {
  // The stride of a dimension of size 1 is never used: take what suits.
  if (cs == 1 || cols == 1) {
    const int64_t least = cols > 1 ? cols : 1, given = rows == 1 ? least : rs;
    if (given >= least && given < INT32_MAX) {
      *op = OP_N;
      *ld = int(given);
      return true;
    }
  }
  if (rs == 1 || rows == 1) {
    const int64_t least = rows > 1 ? rows : 1, given = cols == 1 ? least : cs;
    if (given >= least && given < INT32_MAX) {
      *op = OP_T;
      *ld = int(given);
      return true;
    }
  }
  return false;
}

template <class T>
__global__ void fill_bias_kernel(T *c, const T *bias, int64_t m, int64_t n, int64_t c_rs, int64_t bias_rs, int64_t bias_cs,
                                 TC_ARG(Space<3>) batches) {
  const int64_t size = batches.count * m * n;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t col = i % n, row = i / n % m;
    int64_t base[3];
    batches.offsets(i / n / m, base);
    c[base[2] + row * c_rs + col] = bias[row * bias_rs + col * bias_cs];
  }
}

template <class T>
__global__ void activate_kernel(T *c, int64_t m, int64_t n, int64_t c_rs, int act, TC_ARG(Space<3>) batches) {
  using C = compute_t<T>;
  const int64_t size = batches.count * m * n;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    int64_t base[3];
    batches.offsets(i / n / m, base);
    T *const at = c + base[2] + i / n % m * c_rs + i % n;
    const C v = convert<C>(*at);
    *at = convert<T>(act == TC_ACT_RELU ? v_max(v, C(0)) : act == TC_ACT_SIGMOID ? v_sigmoid(v) : v_tanh(v));
  }
}

struct Types { int data, compute; };
bool types_of(int64_t dtype, Types *types) {
  switch (dtype) {
    case TC_F32: *types = {R_32F, COMPUTE_32F}; return true;
    case TC_F64: *types = {R_64F, COMPUTE_64F}; return true;
    case TC_F16: *types = {R_16F, COMPUTE_32F}; return true;
    case TC_BF16: *types = {R_16BF, COMPUTE_32F}; return true;
    default: return false;
  }
}

}  // namespace

int32_t blas_matmul(const Frame &f, const tc_matmul_args *a, const Space<3> &batches) {
  if (!blas().there || a->k == 0) return kNotForBlas;
  Types types;
  int op_a, op_b, lda, ldb;
  const int64_t most = INT32_MAX;
  if (!types_of(a->dtype, &types) || a->m > most || a->n > most || a->k > most || a->c_rs > most) return kNotForBlas;
  if (a->n > 1 && a->c_cs != 1) return kNotForBlas;
  if (a->m > 1 && a->c_rs < a->n) return kNotForBlas;
  if (!layout(a->a_rs, a->a_cs, a->m, a->k, &op_a, &lda) || !layout(a->b_rs, a->b_cs, a->k, a->n, &op_b, &ldb)) return kNotForBlas;
  if (a->bias && (a->beta != 0 || a->alpha != 1)) return kNotForBlas;

  static std::mutex mutex;  // a handle serves one thread at a time
  const std::lock_guard<std::mutex> lock(mutex);
  if (!f.device->blas && blas().create(&f.device->blas) != 0) return kNotForBlas;
  if (blas().set_stream(f.device->blas, f.stream) != 0) return kNotForBlas;

  double beta = a->beta;
  if (a->bias) {  // start from the bias and add: one rounding for float16, as PyTorch's addmm
    with_floating(a->dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      TC_LAUNCH(fill_bias_kernel<T>, f.blocks(batches.count * a->m * a->n, 256), 256, 0, f.stream, TC_PTR(T, a->c),
                TC_PTR(const T, a->bias), a->m, a->n, a->c_rs, a->bias_rs, a->bias_cs, batches);
    });
    beta = 1;
  }
  const float alpha32 = float(a->alpha), beta32 = float(beta);
  const void *const alpha_at = types.compute == COMPUTE_64F ? static_cast<const void *>(&a->alpha) : &alpha32;
  const void *const beta_at = types.compute == COMPUTE_64F ? static_cast<const void *>(&beta) : &beta32;
  const int ldc = int(a->m > 1 ? a->c_rs : a->n);

  // The innermost batch dimension goes into the call, the others are walked. Row-major C is column-major C
  // transposed, and C^T = B^T A^T: so B comes first.
  const int64_t inner = batches.ndim > 0 ? batches.size[0] : 1;
  const int64_t *const step = batches.stride[0];
  const int64_t size = tc_dtype_size(a->dtype);
  int answer = 0;
  for_outer<3>(batches.ndim > 1 ? batches.ndim - 1 : 0, batches.size + 1, batches.stride + 1, [&](const int64_t *base) {
    for (int64_t first = 0; first < inner && answer == 0; first += most) {
      const int64_t count = inner - first < most ? inner - first : most;
      const auto at = [&](uint64_t address, int k) {
        return TC_PTR(char, address) + (base[k] + (batches.ndim > 0 ? first * step[k] : 0)) * size;
      };
      answer = blas().gemm(f.device->blas, op_b, op_a, int(a->n), int(a->m), int(a->k), alpha_at, at(a->b, 1), types.data,
                         ldb, batches.ndim > 0 ? step[1] : 0, at(a->a, 0), types.data, lda,
                         batches.ndim > 0 ? step[0] : 0, beta_at, at(a->c, 2), types.data, ldc,
                         batches.ndim > 0 ? step[2] : 0, int(count), types.compute, GEMM_DEFAULT);
    }
  });
  if (answer != 0) return blas_error(answer);
  if (a->act != TC_ACT_NONE)
    with_floating(a->dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      TC_LAUNCH(activate_kernel<T>, f.blocks(batches.count * a->m * a->n, 256), 256, 0, f.stream, TC_PTR(T, a->c), a->m,
                a->n, a->c_rs, int(a->act), batches);
    });
  return f.end();
}

}  // namespace tc
