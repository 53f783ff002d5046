// tc_searchsorted: where values would go among sorted boundaries (searchsorted, bucketize).
#include <stdbool.h>

#include "convert.h"
#include "parallel.h"
#include "status.h"

typedef struct {
  const tc_searchsorted_args *a;
  int64_t begin, end;  // values, counted over all rows
} range;

// PyTorch's bisection (native/BucketizationUtils.h, cus_lower_bound and cus_upper_bound), whose comparisons decide
// where NaN goes: a NaN value behind everything, values behind NaN boundaries.
#define SEARCH(name, storage, load)                                                                           \
  static void name(const range *r) {                                                                          \
    const tc_searchsorted_args *a = r->a;                                                                     \
    const storage *values = TC_PTR(const storage, a->values);                                                 \
    for (int64_t i = r->begin; i < r->end; i++) {                                                             \
      const int64_t row = a->shared ? 0 : i / a->m * a->n;                                                    \
      const storage *bounds = TC_PTR(const storage, a->boundaries) + row;                                     \
      const int64_t *sorter = a->sorter ? TC_PTR(const int64_t, a->sorter) + row : 0;                         \
      int64_t low = 0, high = a->n;                                                                           \
      while (low < high) {                                                                                    \
        const int64_t middle = low + (high - low) / 2, at = sorter ? sorter[middle] : middle;                 \
        const bool found = a->right ? load(bounds[at]) > load(values[i]) : load(bounds[at]) >= load(values[i]); \
        low = found ? low : middle + 1;                                                                       \
        high = found ? middle : high;                                                                         \
      }                                                                                                       \
      if (a->out_dtype == TC_I64) {                                                                           \
        TC_PTR(int64_t, a->out)[i] = low;                                                                     \
      } else {                                                                                                \
        TC_PTR(int32_t, a->out)[i] = (int32_t)low;                                                            \
      }                                                                                                       \
    }                                                                                                         \
  }
SEARCH(search_u8, uint8_t, )
SEARCH(search_i8, int8_t, )
SEARCH(search_i16, int16_t, )
SEARCH(search_i32, int32_t, )
SEARCH(search_i64, int64_t, )
SEARCH(search_f32, float, )
SEARCH(search_f64, double, )
SEARCH(search_f16, uint16_t, tc_f32_of_f16)
SEARCH(search_bf16, uint16_t, tc_f32_of_bf16)
#undef SEARCH

static void search_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const range r = {ctx, begin, end};
  switch (r.a->dtype) {
    case TC_U8: case TC_BOOL: search_u8(&r); break;
    case TC_I8: search_i8(&r); break;
    case TC_I16: search_i16(&r); break;
    case TC_I32: search_i32(&r); break;
    case TC_I64: search_i64(&r); break;
    case TC_F32: search_f32(&r); break;
    case TC_F16: search_f16(&r); break;
    case TC_BF16: search_bf16(&r); break;
    default: search_f64(&r);
  }
}

// A sorter that points outside the boundaries is refused: {place, n, position, 0}.
static int32_t check_sorter(const tc_searchsorted_args *a) {
  const int64_t *sorter = TC_PTR(const int64_t, a->sorter);
  const int64_t count = a->sorter ? a->n * (a->shared ? 1 : a->rows) : 0;
  for (int64_t i = 0; i < count; i++) {
    if (sorter[i] < 0 || sorter[i] >= a->n) return tc_bad_index(sorter[i], a->n, i, 0);
  }
  return TC_OK;
}

int32_t tc_searchsorted(const tc_searchsorted_args *a) {
  if (a->dtype == TC_C64 || a->dtype == TC_C128) return tc_unsupported(a->dtype);
  const int32_t status = check_sorter(a);
  if (status != TC_OK) return status;
  tc_parallel_for(a->rows * a->m, 2048, search_range, (void *)(uintptr_t)a);
  return TC_OK;
}
