#include "mt19937.h"

#include "simd.h"

#define N TC_MT_N
#define M 397

typedef char words_fill_their_slots[sizeof(tc_generator) == 5 * 8 + N * 4 ? 1 : -1];

static inline uint32_t twist(uint32_t u, uint32_t v) {
  const uint32_t y = (u & 0x80000000) | (v & 0x7fffffff);
  return (y >> 1) ^ (-(v & 1) & 0x9908b0df);
}

TC_INLINE vu32 load(const uint32_t *p) { return (vu32)v_load((const int32_t *)p); }
TC_INLINE void store(uint32_t *p, vu32 v) { v_store((int32_t *)p, (vi32)v); }
TC_INLINE vu32 set(uint32_t s) { return (vu32)v_set_i32((int32_t)s); }

// s[i .. i + 3] from themselves, the words after them, and the four at `from`.
TC_INLINE void twist4(uint32_t *s, int i, int from) {
  const vu32 v = load(s + i + 1), y = (load(s + i) & set(0x80000000)) | (v & set(0x7fffffff));
  store(s + i, load(s + from) ^ (y >> 1) ^ (-(v & set(1)) & set(0x9908b0df)));
}

void tc_mt_twist(tc_generator *g) {
  uint32_t *s = g->state;
  int i = 0;
  for (; i + 4 <= N - M; i += 4) twist4(s, i, i + M);
  for (; i < N - M; i++) s[i] = s[i + M] ^ twist(s[i], s[i + 1]);
  for (; i + 4 <= N - 1; i += 4) twist4(s, i, i + M - N);
  for (; i < N - 1; i++) s[i] = s[i + M - N] ^ twist(s[i], s[i + 1]);
  s[N - 1] = s[M - 1] ^ twist(s[N - 1], s[0]);
  g->left = N + 1;
  g->next = 0;
}

void tc_mt_fill(tc_generator *g, uint32_t *restrict out, int64_t n) {
  while (n > 0) {
    if (g->left == 1) tc_mt_twist(g);
    const int64_t count = n < g->left - 1 ? n : g->left - 1;
    const uint32_t *s = g->state + g->next;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
      vu32 y = load(s + i);
      y ^= y >> 11;
      y ^= (y << 7) & set(0x9d2c5680);
      y ^= (y << 15) & set(0xefc60000);
      store(out + i, y ^ (y >> 18));
    }
    g->next += i;
    g->left -= i;
    for (; i < count; i++) out[i] = tc_mt_u32(g);
    out += count;
    n -= count;
  }
}

void tc_mt_fill_f32(tc_generator *g, float *restrict out, int64_t n) {
  uint32_t words[TC_MT_BLOCK];
  for (int64_t start = 0; start < n; start += TC_MT_BLOCK) {
    const int64_t count = n - start < TC_MT_BLOCK ? n - start : TC_MT_BLOCK;
    tc_mt_fill(g, words, count);
    for (int64_t i = 0; i < count; i++) out[start + i] = (float)(int32_t)(words[i] & 0xffffff) * 0x1p-24f;
  }
}

// Two 53-bit integers as numbers: each half becomes the mantissa of a float64 whose exponent gives its place.
TC_INLINE vf64 number_of_53(vu64 v) {
  const vu64 low = (v & 0xffffffff) | 0x4330000000000000, high = (v >> 32) | 0x4530000000000000;
  return ((vf64)high - v_set_f64(0x1p84 + 0x1p52)) + (vf64)low;
}

void tc_mt_fill_f64(tc_generator *g, double *restrict out, int64_t n) {
  uint32_t words[2 * TC_MT_BLOCK];
  for (int64_t start = 0; start < n; start += TC_MT_BLOCK) {
    const int64_t count = n - start < TC_MT_BLOCK ? n - start : TC_MT_BLOCK;
    tc_mt_fill(g, words, 2 * count);
    int64_t i = 0;
    for (; i + 2 <= count; i += 2) {
      const vu64 w = (vu64)load(words + 2 * i);  // little-endian: the first draw is the low half
      v_store(out + start + i, number_of_53(((w << 32) | (w >> 32)) & TC_MASK_53) * 0x1p-53);
    }
    if (i < count) {
      const uint64_t w = (uint64_t)words[2 * i] << 32 | words[2 * i + 1];
      out[start + i] = (double)(w & TC_MASK_53) * 0x1p-53;
    }
  }
}

void tc_mt_bernoulli(tc_generator *g, uint8_t *restrict out, int64_t n, double p) {
  // v * 2^-53 < p, with v an integer, is v < ceil(p * 2^53).
  const double scaled = p * 0x1p53;
  const uint64_t limit = scaled >= 0x1p53 ? UINT64_C(1) << 53 : scaled > 0 ? (uint64_t)__builtin_ceil(scaled) : 0;
  const uint32_t limit_high = (uint32_t)(limit >> 32), limit_low = (uint32_t)limit;
  uint32_t words[2 * TC_MT_BLOCK];
  for (int64_t start = 0; start < n; start += TC_MT_BLOCK) {
    const int64_t count = n - start < TC_MT_BLOCK ? n - start : TC_MT_BLOCK;
    tc_mt_fill(g, words, 2 * count);
    for (int64_t i = 0; i < count; i++) {
      const uint32_t high = words[2 * i] & 0x1fffff, low = words[2 * i + 1];
      out[start + i] = (uint8_t)((high < limit_high) | ((high == limit_high) & (low < limit_low)));
    }
  }
}

int32_t tc_generator_seed(const tc_generator_args *a) {
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  g->seed = a->seed;
  g->state[0] = (uint32_t)a->seed;
  for (uint32_t i = 1; i < N; i++) {
    g->state[i] = 1812433253 * (g->state[i - 1] ^ (g->state[i - 1] >> 30)) + i;
  }
  g->left = 1;
  g->next = 0;
  g->has_normal = 0;
  g->normal = 0;
  return TC_OK;
}

int32_t tc_generator_u64(const tc_generator_args *a) {
  *TC_PTR(uint64_t, a->out) = tc_mt_u64(TC_PTR(tc_generator, a->generator));
  return TC_OK;
}
