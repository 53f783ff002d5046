// tc_matmul: batches of C = act(alpha * A x B + beta * C + bias). cuBLAS does the products where it is there and the
// dtype and strides suit it (blas.cu); the tiled kernel below does them all.
#include "activation.cuh"
#include "matmul.cuh"

namespace tc {
namespace {

constexpr int kTileM = 64, kTileN = 64, kTileK = 16, kPer = 4;  // a block's tile; 16 x 16 threads of 4 x 4 results

// What happens to a finished sum.
template <class Acc> struct Epilogue {
  Acc alpha, beta;
  const void *bias;
  int64_t bias_rs, bias_cs;
  int act;
};

template <class T, class Acc>
TC_FN void finish(T *c, Acc sum, int64_t row, int64_t col, const Epilogue<Acc> &e) {
  sum = e.alpha * sum;
  if (e.beta != Acc(0)) sum += e.beta * convert<Acc>(*c);
  if (e.bias) sum += convert<Acc>(static_cast<const T *>(e.bias)[row * e.bias_rs + col * e.bias_cs]);
  *c = convert<T>(activate(sum, e.act));
}

struct Shape { int64_t m, n, k, a_rs, a_cs, b_rs, b_cs, c_rs, c_cs; };

// Block (x, y): tile x of C, tiles counted along N first, and y = batch * splits + split. With splits > 1 each block
// sums its own piece of k into `partial` (splits, batches, m, n), else it finishes into C.
template <class T, class Acc>
__global__ void __launch_bounds__(256) matmul_kernel(const T *a, const T *b, T *c, TC_ARG(Shape) s, TC_ARG(Space<3>) batches,
                                                     int64_t first_batch, int splits, Acc *partial, TC_ARG(Epilogue<Acc>) e) {
  __shared__ Acc tile_a[kTileK][kTileM + 1], tile_b[kTileK][kTileN + 1];
  const int64_t batch = first_batch + blockIdx.y / splits;
  const int split = int(blockIdx.y % splits);
  int64_t base[3];
  batches.offsets(batch, base);
  a += base[0];
  b += base[1];
  c += base[2];
  const unsigned tiles_n = unsigned((s.n + kTileN - 1) / kTileN);
  const int64_t row0 = int64_t(blockIdx.x / tiles_n) * kTileM, col0 = int64_t(blockIdx.x % tiles_n) * kTileN;
  const int64_t steps = (s.k + kTileK - 1) / kTileK, per_split = (steps + splits - 1) / splits;
  const int64_t k_begin = split * per_split * kTileK;
  const int64_t k_end = k_begin + per_split * kTileK < s.k ? k_begin + per_split * kTileK : s.k;
  const int t = int(threadIdx.x), tx = t % 16, ty = t / 16;
  // Neighbouring threads read along the dimension that is contiguous in memory.
  const bool a_along_k = s.a_cs == 1, b_along_n = s.b_cs == 1;
  Acc sum[kPer][kPer] = {};
  for (int64_t k0 = k_begin; k0 < k_end; k0 += kTileK) {
    for (int i = t; i < kTileM * kTileK; i += 256) {
      const int mm = a_along_k ? i / kTileK : i % kTileM, ka = a_along_k ? i % kTileK : i / kTileM;
      const bool in_a = row0 + mm < s.m && k0 + ka < k_end;
      tile_a[ka][mm] = in_a ? convert<Acc>(a[(row0 + mm) * s.a_rs + (k0 + ka) * s.a_cs]) : Acc(0);
      const int nn = b_along_n ? i % kTileN : i / kTileK, kb = b_along_n ? i / kTileN : i % kTileK;
      const bool in_b = col0 + nn < s.n && k0 + kb < k_end;
      tile_b[kb][nn] = in_b ? convert<Acc>(b[(k0 + kb) * s.b_rs + (col0 + nn) * s.b_cs]) : Acc(0);
    }
    __syncthreads();
    TC_UNROLL
    for (int k = 0; k < kTileK; k++) {
      Acc va[kPer], vb[kPer];
      for (int i = 0; i < kPer; i++) va[i] = tile_a[k][ty + 16 * i];
      for (int j = 0; j < kPer; j++) vb[j] = tile_b[k][tx + 16 * j];
      for (int i = 0; i < kPer; i++)
        for (int j = 0; j < kPer; j++) sum[i][j] += va[i] * vb[j];
    }
    __syncthreads();
  }
  for (int i = 0; i < kPer; i++)
    for (int j = 0; j < kPer; j++) {
      const int64_t row = row0 + ty + 16 * i, col = col0 + tx + 16 * j;
      if (row >= s.m || col >= s.n) continue;
      if (partial) partial[((split * batches.count + batch) * s.m + row) * s.n + col] = sum[i][j];
      else finish(c + row * s.c_rs + col * s.c_cs, sum[i][j], row, col, e);
    }
}

template <class T, class Acc>
__global__ void join_splits_kernel(T *c, TC_ARG(Shape) s, TC_ARG(Space<3>) batches, int splits, const Acc *partial, TC_ARG(Epilogue<Acc>) e) {
  const int64_t size = batches.count * s.m * s.n;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    Acc sum = partial[i];
    for (int p = 1; p < splits; p++) sum += partial[p * size + i];
    const int64_t col = i % s.n, row = i / s.n % s.m;
    int64_t base[3];
    batches.offsets(i / s.n / s.m, base);
    finish(c + base[2] + row * s.c_rs + col * s.c_cs, sum, row, col, e);
  }
}

// In how many pieces k is summed: more than one where the results alone would leave most of the device idle.
int64_t splits_of(const tc_matmul_args *a, const Device *device, int64_t batch_count) {
  const int64_t blocks = ((a->m + kTileM - 1) / kTileM) * ((a->n + kTileN - 1) / kTileN) * batch_count;
  if (blocks == 0 || blocks >= device->multiprocessors || a->k < 1024) return 1;
  const int64_t by_work = a->k / 512, by_device = 2 * device->multiprocessors / blocks;
  const int64_t splits = by_work < by_device ? by_work : by_device;
  return splits < 1 ? 1 : splits > 32 ? 32 : splits;
}

int64_t batch_count_of(const tc_matmul_args *a) {
  int64_t count = 1;
  for (int64_t d = 0; d < a->nbatch; d++) count *= a->batch_shape[d];
  return count;
}

template <class T, class Acc>
void run(const Frame &f, const tc_matmul_args *a, const Space<3> &batches) {
  const Shape s = {a->m, a->n, a->k, a->a_rs, a->a_cs, a->b_rs, a->b_cs, a->c_rs, a->c_cs};
  Epilogue<Acc> e;
  if constexpr (std::is_floating_point_v<Acc>) e.alpha = Acc(a->alpha), e.beta = Acc(a->beta);
  else e.alpha = Acc(int64_t(a->alpha)), e.beta = Acc(int64_t(a->beta));
  e.bias = TC_PTR(const void, a->bias);
  e.bias_rs = a->bias_rs;
  e.bias_cs = a->bias_cs;
  e.act = int(a->act);
  T *const c = TC_PTR(T, a->c);
  const int64_t splits = splits_of(a, f.device, batches.count);
  Acc *const partial = splits > 1 ? TC_PTR(Acc, a->scratch) : nullptr;
  const int64_t tiles = ((a->m + kTileM - 1) / kTileM) * ((a->n + kTileN - 1) / kTileN);
  const int64_t most = 65535 / splits;  // the grid's second dimension has 16 bits
  for (int64_t first = 0; first < batches.count; first += most) {
    const int64_t count = batches.count - first < most ? batches.count - first : most;
    TC_LAUNCH((matmul_kernel<T, Acc>), dim3(unsigned(tiles), unsigned(count * splits)), 256, 0, f.stream,
              TC_PTR(const T, a->a), TC_PTR(const T, a->b), c, s, batches, first, int(splits), partial, e);
  }
  if (partial)
    TC_LAUNCH((join_splits_kernel<T, Acc>), f.blocks(batches.count * a->m * a->n, 256), 256, 0, f.stream, c, s, batches,
              int(splits), static_cast<const Acc *>(partial), e);
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_matmul_scratch) int64_t tc_matmul_scratch(const tc_matmul_args *a) {
  using namespace tc;
  int32_t status;
  const Device *const device = current_device(&status);
  if (status != TC_OK) return 0;
  const int64_t count = batch_count_of(a), splits = splits_of(a, device, count);
  const int64_t size = a->dtype == TC_F64 || a->dtype == TC_I64 ? 8 : 4;
  return splits > 1 ? splits * count * a->m * a->n * size : 0;
}

TC_EXPORT(tc_matmul) int32_t tc_matmul(const tc_matmul_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_matmul);
  if (f.status != TC_OK) return f.status;
  Space<3> batches;
  for (int64_t d = a->nbatch - 1; d >= 0; d--) {  // the space wants the innermost first
    const int64_t strides[3] = {a->batch_a[d], a->batch_b[d], a->batch_c[d]};
    batches.add(a->batch_shape[d], strides);
  }
  batches.finish();
  if (a->m == 0 || a->n == 0 || batches.count == 0) return TC_OK;
  const int32_t status = blas_matmul(f, a, batches);
  if (status != kNotForBlas) return status;
  switch (a->dtype) {
    case TC_F32: run<float, float>(f, a, batches); break;
    case TC_F64: run<double, double>(f, a, batches); break;
    case TC_F16: run<half_t, float>(f, a, batches); break;
    case TC_BF16: run<bfloat_t, float>(f, a, batches); break;
    // Unsigned arithmetic wraps where signed would be undefined; the low bits are the same.
    case TC_U8: case TC_I8: run<uint8_t, uint32_t>(f, a, batches); break;
    case TC_I16: run<uint16_t, uint32_t>(f, a, batches); break;
    case TC_I32: run<uint32_t, uint32_t>(f, a, batches); break;
    case TC_I64: run<uint64_t, uint64_t>(f, a, batches); break;
    default: return unsupported(a->dtype);
  }
  return f.end();
}
