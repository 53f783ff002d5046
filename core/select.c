// tc_topk, tc_kthvalue, tc_median, tc_mode: one or a few elements of every sorted line, without sorting it.
#include "parallel.h"
#include "sortkey.h"
#include "status.h"

#define SELECT_BUFFER 256

#define TC_SEL_TYPE tc_narrow
#define TC_SEL_KEY(e) ((e) >> 32)
#define TC_SEL_PLACE(e) tc_narrow_place(e)
#define TC_SEL_MOVE(e, by) ((e) += (uint64_t)(by))
#define TC_SEL_LOAD tc_load_narrow
#define TC_SEL_NAME(x) narrow_##x
#include "select.h"

#define TC_SEL_TYPE tc_wide
#define TC_SEL_KEY(e) ((e).key)
#define TC_SEL_PLACE(e) ((e).place)
#define TC_SEL_MOVE(e, by) ((e).place += (by))
#define TC_SEL_LOAD tc_load_wide
#define TC_SEL_NAME(x) wide_##x
#include "select.h"

typedef enum { TOPK, KTHVALUE, MEDIAN, MODE } selection;

typedef struct {
  const tc_select_args *a;
  selection what;
  bool wide;
  int64_t out_n;
} job;

static int64_t line_bytes(const tc_select_args *a) {
  const int64_t element = tc_key_is_narrow(a->dtype, a->n) ? sizeof(tc_narrow) : sizeof(tc_wide);
  return ((a->n + SELECT_BUFFER) * element + 63) & ~(int64_t)63;
}

// Writes the answer of one line to e[0 .. out_n - 1].
static void select_line(const job *j, const char *in, void *e) {
  const tc_select_args *a = j->a;
  tc_narrow *narrow = e;
  tc_wide *wide = e;
  switch (j->what) {
    case TOPK:
      if (j->wide) wide_topk(a, in, wide); else narrow_topk(a, in, narrow);
      break;
    case KTHVALUE:
      if (j->wide) {
        tc_load_wide(wide, in, a->dtype, a->n, a->inner, false);
        wide_quickselect(wide, a->k - 1, a->n);
        wide[0] = wide[a->k - 1];
      } else {
        tc_load_narrow(narrow, in, a->dtype, a->n, a->inner, false);
        narrow_quickselect(narrow, a->k - 1, a->n);
        narrow[0] = narrow[a->k - 1];
      }
      break;
    case MEDIAN:
    case MODE:
      if (j->wide) {
        wide[0].place = (j->what == MODE ? wide_mode : wide_median)(a, in, wide);
      } else {
        narrow[0] = (uint64_t)(j->what == MODE ? narrow_mode : narrow_median)(a, in, narrow);
      }
  }
}

static void select_lines(void *ctx, int64_t begin, int64_t end, int thread) {
  const job *j = ctx;
  const tc_select_args *a = j->a;
  const int64_t size = tc_dtype_size(a->dtype);
  void *e = TC_PTR(char, a->scratch) + thread * line_bytes(a);
  for (int64_t line = begin; line < end; line++) {
    const int64_t o = line / a->inner, i = line % a->inner;
    const char *in = TC_PTR(const char, a->in) + (o * a->n * a->inner + i) * size;
    const int64_t at = o * j->out_n * a->inner + i;
    select_line(j, in, e);
    if (a->values) {
      tc_take_places(TC_PTR(char, a->values) + at * size, a->inner, in, a->inner, size, e, j->wide, j->out_n);
    }
    if (a->indices) tc_store_places(TC_PTR(int64_t, a->indices) + at, a->inner, e, j->wide, j->out_n);
  }
}

static int32_t select_all(const tc_select_args *a, selection what) {
  if (!tc_has_keys(a->dtype)) return tc_unsupported(a->dtype);
  job j = {a, what, !tc_key_is_narrow(a->dtype, a->n), what == TOPK ? a->k : 1};
  if (j.out_n == 0) return TC_OK;
  tc_parallel_for(a->outer * a->inner, 1 + 16384 / (a->n + 1), select_lines, &j);
  return TC_OK;
}

static int64_t select_scratch(const tc_select_args *a) { return tc_num_threads() * line_bytes(a); }

int32_t tc_topk(const tc_select_args *a) { return select_all(a, TOPK); }
int32_t tc_kthvalue(const tc_select_args *a) { return select_all(a, KTHVALUE); }
int32_t tc_median(const tc_select_args *a) { return select_all(a, MEDIAN); }
int32_t tc_mode(const tc_select_args *a) { return select_all(a, MODE); }
int64_t tc_topk_scratch(const tc_select_args *a) { return select_scratch(a); }
int64_t tc_kthvalue_scratch(const tc_select_args *a) { return select_scratch(a); }
int64_t tc_median_scratch(const tc_select_args *a) { return select_scratch(a); }
int64_t tc_mode_scratch(const tc_select_args *a) { return select_scratch(a); }
