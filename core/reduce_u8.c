// Reductions of bytes without widening them: truth and counts of masks.
#include "reduce.h"
#include "simd.h"

static void start(tc_partial *s) { *s = (tc_partial){.v.i = 0}; }
static void start_all(tc_partial *s) { *s = (tc_partial){.v.i = 1}; }
static void merge_count(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
  s->v.i += t->v.i;
}
static void merge_any(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
  s->v.i |= t->v.i;
}
static void merge_all(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
  s->v.i &= t->v.i;
}

static void line_count(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen, (void)p;
  const uint8_t *x = data;
  int64_t count = 0;
  // Lanes of bytes: 255 steps before one could overflow.
  for (; n >= 16;) {
    vu8 acc = {0};
    int64_t steps = n / 16 < 255 ? n / 16 : 255;
    for (int64_t k = 0; k < steps; k++, x += 16) acc -= (vu8)(v_load(x) != (vu8){0});
    n -= steps * 16;
    for (int l = 0; l < 16; l++) count += acc[l];
  }
  for (int64_t i = 0; i < n; i++) count += x[i] != 0;
  s->v.i += count;
}

static void line_any(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen, (void)p;
  const uint8_t *x = data;
  int64_t i = 0, found = s->v.i;
  for (; i + 16 <= n && !found; i += 16) found = v_any((vi32)v_load(x + i));
  for (; i < n && !found; i++) found = x[i] != 0;
  s->v.i = found != 0;
}

static void line_all(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen, (void)p;
  const uint8_t *x = data;
  int64_t i = 0, missing = !s->v.i;
  for (; i + 16 <= n && !missing; i += 16) missing = v_any((vi32)(v_load(x + i) == (vu8){0}));
  for (; i < n && !missing; i++) missing = x[i] == 0;
  s->v.i = !missing;
}

const tc_fold tc_folds_u8[TC_FOLD_COUNT_OF] = {
    [TC_FOLD_COUNT] = {line_count, 0, start, merge_count},
    [TC_FOLD_ANY] = {line_any, 0, start, merge_any},
    [TC_FOLD_ALL] = {line_all, 0, start_all, merge_all},
};
