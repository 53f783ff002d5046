// The generator behind every random kernel: MT19937 (Matsumoto and Nishimura 1998) as at::mt19937 runs it.
#ifndef TC_MT19937_H
#define TC_MT19937_H

#include "include/tc.h"

// The next `n` 32-bit draws. Everything that draws goes through this or the functions below, which leave the state
// where PyTorch's would be after as many draws.
void tc_mt_fill(tc_generator *g, uint32_t *restrict out, int64_t n);

// The same as uniforms: float32 with 24 bits (one draw each), float64 with 53 bits (two draws each, as tc_mt_uniform).
void tc_mt_fill_f32(tc_generator *g, float *restrict out, int64_t n);
void tc_mt_fill_f64(tc_generator *g, double *restrict out, int64_t n);

// out[i] = 1 with probability p, else 0: a 53-bit uniform (two draws) below p.
void tc_mt_bernoulli(tc_generator *g, uint8_t *restrict out, int64_t n, double p);

// Elements that the random kernels take at a time, through buffers on the stack.
#define TC_MT_BLOCK 512

// Makes the next block of words; only when the last one is used up (left == 1), with a draw to follow.
void tc_mt_twist(tc_generator *g);

static inline uint32_t tc_mt_u32(tc_generator *g) {
  if (g->left == 1) tc_mt_twist(g);
  g->left--;
  uint32_t y = g->state[g->next++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >> 18);
}

// The first draw is the high half.
static inline uint64_t tc_mt_u64(tc_generator *g) {
  const uint64_t high = tc_mt_u32(g);
  return high << 32 | tc_mt_u32(g);
}

#define TC_MASK_53 ((UINT64_C(1) << 53) - 1)

// at::uniform_real_distribution<double>(0, 1)
static inline double tc_mt_uniform(tc_generator *g) { return (double)(tc_mt_u64(g) & TC_MASK_53) * 0x1p-53; }

// at::normal_distribution<double>(0, 1): Box-Muller, whose second half is kept for the next call. In normal.c.
double tc_mt_normal(tc_generator *g);

#endif
