// The most that fused multiply-adds can do: a loop of them that touches no memory.
#include "../../core/include/tc.h"
#include "../../core/simd.h"

TC_EXPORT(tc_bench_peak_f32) float tc_bench_peak_f32(int32_t rounds, float seed);
TC_EXPORT(tc_bench_peak_f64) double tc_bench_peak_f64(int32_t rounds, double seed);

// Ten chains of products hide the latency of the units.
#define PEAK(name, R, V, SET)                                       \
  R name(int32_t rounds, R seed) {                                  \
    const V x = SET(seed);                                          \
    V sum[10];                                                      \
    for (int i = 0; i < 10; i++) sum[i] = SET(seed + (R)i);         \
    for (; rounds > 0; rounds--) {                                  \
      for (int i = 0; i < 10; i++) sum[i] = v_fma(x, x, sum[i]);    \
    }                                                               \
    for (int i = 1; i < 10; i++) sum[0] += sum[i];                  \
    return sum[0][0];                                               \
  }

PEAK(tc_bench_peak_f32, float, vf32, v_set_f32)
PEAK(tc_bench_peak_f64, double, vf64, v_set_f64)
