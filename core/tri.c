// tc_tri: tril and triu.
#include <stddef.h>
#include <string.h>

#include "convert.h"
#include "parallel.h"

static void copy_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_tri_args *a = ctx;
  const int64_t size = tc_dtype_size(a->dtype);
  for (int64_t r = begin; r < end; r++) {
    const int64_t row = r % a->rows;
    // The first column right of the diagonal (tril), or on it (triu): what is kept lies on one side.
    int64_t cut = row + a->diagonal + !a->upper;
    cut = cut < 0 ? 0 : cut > a->cols ? a->cols : cut;
    const int64_t from = a->upper ? cut : 0, count = a->upper ? a->cols - cut : cut;
    char *out = TC_PTR(char, a->out) + r * a->cols * size;
    const char *in = TC_PTR(const char, a->in) +
                     (r / a->rows * a->in_batch_stride + row * a->in_row_stride + from * a->in_col_stride) * size;
    if (count > 0 && out + from * size != in) tc_load_run(out + from * size, in, a->in_col_stride, count, size);
    if (a->upper) {
      memset(out, 0, (size_t)(cut * size));
    } else {
      memset(out + cut * size, 0, (size_t)((a->cols - cut) * size));
    }
  }
}

int32_t tc_tri(const tc_tri_args *a) {
  if (a->cols == 0) return TC_OK;
  tc_parallel_for(a->batch * a->rows, 1 + 16384 / a->cols, copy_rows, (void *)(uintptr_t)a);
  return TC_OK;
}
