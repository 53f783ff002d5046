// tc_sort: every line of a tensor, stable, with places.
#include "parallel.h"
#include "sortkey.h"
#include "status.h"

#define TC_LINE_TYPE tc_narrow
#define TC_LINE_KEY(e) ((e) >> 32)
#define TC_LINE_LESS(a, b) ((a) < (b))
#define TC_LINE_NAME(x) x##_narrow
#include "linesort.h"

#define TC_LINE_TYPE tc_wide
#define TC_LINE_KEY(e) ((e).key)
#define TC_LINE_LESS(a, b) ((a).key < (b).key)
#define TC_LINE_NAME(x) x##_wide
#include "linesort.h"

// Below this many elements in a line, and unless there are fewer lines than threads, a line is one thread's work.
#define SPLIT_ABOVE 65536
#define MAX_PARTS 16

typedef struct {
  const tc_sort_args *a;
  bool wide;
  int64_t element;    // bytes of a keyed element
  char *e, *spare;    // per thread in `lines`, of the whole line in `split`
  uint32_t *histogram;  // per thread
  int64_t parts, line;
  char *part_at[MAX_PARTS];  // split: where each sorted part lies
} job;

static inline bool is_wide(const tc_sort_args *a) { return !tc_key_is_narrow(a->dtype, a->n); }

static inline int64_t element_bytes(const tc_sort_args *a) {
  return is_wide(a) ? (int64_t)sizeof(tc_wide) : (int64_t)sizeof(tc_narrow);
}

// Threads that lines of this shape keep busy, and whether single lines are split among threads instead.
static inline int64_t parts_per_line(const tc_sort_args *a) {
  const int64_t threads = tc_num_threads();
  if (threads == 1 || a->n < SPLIT_ABOVE || a->outer * a->inner >= threads) return 1;
  int64_t parts = 2;
  while (parts * 2 <= threads && parts * 2 <= MAX_PARTS && a->n / (parts * 2) >= SPLIT_ABOVE / 2) parts *= 2;
  return parts;
}

static inline int64_t align64(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

static inline int64_t line_bytes(const tc_sort_args *a) { return align64(a->n * element_bytes(a)); }

static inline const char *line_in(const tc_sort_args *a, int64_t line) {
  const int64_t o = line / a->inner, i = line % a->inner;
  return TC_PTR(const char, a->in) + (o * a->n * a->inner + i) * tc_dtype_size(a->dtype);
}

static void write_range(const job *j, int64_t line, const char *e, int64_t begin, int64_t end) {
  const tc_sort_args *a = j->a;
  const int64_t size = tc_dtype_size(a->dtype), o = line / a->inner, i = line % a->inner;
  const int64_t at = o * a->n * a->inner + i + begin * a->inner;
  const char *from = e + begin * j->element;
  if (a->values) {
    tc_take_places(TC_PTR(char, a->values) + at * size, a->inner, line_in(a, line), a->inner, size, from, j->wide,
                   end - begin);
  }
  if (a->indices) tc_store_places(TC_PTR(int64_t, a->indices) + at, a->inner, from, j->wide, end - begin);
}

static void load_range(const job *j, int64_t line, char *e, int64_t begin, int64_t end) {
  const tc_sort_args *a = j->a;
  const char *in = line_in(a, line) + begin * a->inner * tc_dtype_size(a->dtype);
  if (j->wide) {
    tc_wide *out = (tc_wide *)e + begin;
    tc_load_wide(out, in, a->dtype, end - begin, a->inner, a->descending != 0);
    for (int64_t i = 0; begin != 0 && i < end - begin; i++) out[i].place += begin;
  } else {
    tc_narrow *out = (tc_narrow *)e + begin;
    tc_load_narrow(out, in, a->dtype, end - begin, a->inner, a->descending != 0);
    for (int64_t i = 0; begin != 0 && i < end - begin; i++) out[i] += (uint64_t)begin;
  }
}

static char *sort_range(const job *j, char *e, char *spare, int64_t begin, int64_t end, uint32_t *histogram) {
  const int bits = tc_key_bits(j->a->dtype);
  const int64_t at = begin * j->element;
  if (j->wide) return (char *)tc_sort_wide((tc_wide *)(e + at), (tc_wide *)(spare + at), end - begin, bits, histogram);
  return (char *)tc_sort_narrow((tc_narrow *)(e + at), (tc_narrow *)(spare + at), end - begin, bits, histogram);
}

// Lines begin .. end - 1, each by this thread alone.
static void sort_lines(void *ctx, int64_t begin, int64_t end, int thread) {
  const job *j = ctx;
  char *e = j->e + 2 * thread * line_bytes(j->a), *spare = e + line_bytes(j->a);
  uint32_t *histogram = j->histogram + thread * TC_SORT_HISTOGRAM;
  for (int64_t line = begin; line < end; line++) {
    load_range(j, line, e, 0, j->a->n);
    write_range(j, line, sort_range(j, e, spare, 0, j->a->n, histogram), 0, j->a->n);
  }
}

static inline int64_t part_start(const job *j, int64_t part) { return j->a->n * part / j->parts; }

static void sort_parts(void *ctx, int64_t begin, int64_t end, int thread) {
  job *j = ctx;
  for (int64_t p = begin; p < end; p++) {
    const int64_t from = part_start(j, p), to = part_start(j, p + 1);
    load_range(j, j->line, j->e, from, to);
    j->part_at[p] = sort_range(j, j->e, j->spare, from, to, j->histogram + thread * TC_SORT_HISTOGRAM);
    if (j->part_at[p] != j->e + from * j->element) {  // merging wants all parts in one place
      memcpy(j->e + from * j->element, j->part_at[p], (size_t)((to - from) * j->element));
    }
  }
}

// How many of the first k of merge(a, b) come from a.
#define SPLIT_POINT(name, T, less)                                                        \
  static int64_t name(const T *a, int64_t na, const T *b, int64_t nb, int64_t k) {        \
    int64_t low = k > nb ? k - nb : 0, high = k < na ? k : na;                            \
    while (low < high) {                                                                  \
      const int64_t i = low + (high - low) / 2;                                           \
      if (less(b[k - i - 1], a[i])) {                                                     \
        high = i;                                                                         \
      } else {                                                                            \
        low = i + 1;                                                                      \
      }                                                                                   \
    }                                                                                     \
    return low;                                                                           \
  }
#define LESS_NARROW(x, y) ((x) < (y))
#define LESS_WIDE(x, y) ((x).key < (y).key)
SPLIT_POINT(split_narrow, tc_narrow, LESS_NARROW)
SPLIT_POINT(split_wide, tc_wide, LESS_WIDE)
#undef SPLIT_POINT
#undef LESS_NARROW
#undef LESS_WIDE

typedef struct {
  const job *j;
  char *from, *to;
  int64_t width;  // parts in each of the two runs that are merged
} merge_job;

// Places begin .. end - 1 of the line's next merge level. Ranges cut across pairs of runs.
static void merge_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const merge_job *m = ctx;
  const job *j = m->j;
  for (int64_t p = 0; p < j->parts; p += 2 * m->width) {
    const int64_t s = part_start(j, p), t = part_start(j, p + m->width), u = part_start(j, p + 2 * m->width);
    const int64_t lo = begin > s ? begin : s, hi = end < u ? end : u;
    if (lo >= hi) continue;
    if (j->wide) {
      const tc_wide *a = (tc_wide *)m->from + s, *b = (tc_wide *)m->from + t;
      const int64_t i = split_wide(a, t - s, b, u - t, lo - s), k = split_wide(a, t - s, b, u - t, hi - s);
      merge_wide(a + i, k - i, b + (lo - s - i), hi - lo - (k - i), (tc_wide *)m->to + lo);
    } else {
      const tc_narrow *a = (tc_narrow *)m->from + s, *b = (tc_narrow *)m->from + t;
      const int64_t i = split_narrow(a, t - s, b, u - t, lo - s), k = split_narrow(a, t - s, b, u - t, hi - s);
      merge_narrow(a + i, k - i, b + (lo - s - i), hi - lo - (k - i), (tc_narrow *)m->to + lo);
    }
  }
}

static void write_part(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  write_range(j, j->line, j->e, begin, end);
}

static void sort_split_line(job *j) {
  tc_parallel_for(j->parts, 1, sort_parts, j);
  for (int64_t width = 1; width < j->parts; width *= 2) {
    merge_job m = {j, j->e, j->spare, width};
    tc_parallel_for(j->a->n, 8192, merge_range, &m);
    j->e = m.to;
    j->spare = m.from;
  }
  tc_parallel_for(j->a->n, 8192, write_part, j);
}

int64_t tc_sort_scratch(const tc_sort_args *a) {
  const int64_t threads = tc_num_threads(), lines = parts_per_line(a) > 1 ? 1 : threads;
  return lines * 2 * line_bytes(a) + threads * TC_SORT_HISTOGRAM * (int64_t)sizeof(uint32_t);
}

int32_t tc_sort(const tc_sort_args *a) {
  if (!tc_has_keys(a->dtype)) return tc_unsupported(a->dtype);
  const int64_t lines = a->outer * a->inner;
  if (lines == 0 || a->n == 0) return TC_OK;
  job j = {.a = a, .wide = is_wide(a), .element = element_bytes(a), .parts = parts_per_line(a)};
  j.histogram = TC_PTR(uint32_t, a->scratch);
  j.e = TC_PTR(char, a->scratch) + (int64_t)tc_num_threads() * TC_SORT_HISTOGRAM * (int64_t)sizeof(uint32_t);
  if (j.parts == 1) {
    tc_parallel_for(lines, 1 + 8192 / a->n, sort_lines, &j);
    return TC_OK;
  }
  for (j.line = 0; j.line < lines; j.line++) {
    j.e = TC_PTR(char, a->scratch) + (int64_t)tc_num_threads() * TC_SORT_HISTOGRAM * (int64_t)sizeof(uint32_t);
    j.spare = j.e + line_bytes(a);
    sort_split_line(&j);
  }
  return TC_OK;
}
