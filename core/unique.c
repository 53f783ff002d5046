// tc_unique, tc_unique_rows: distinct elements, or distinct rows, with where they went and how many they were.
#include "parallel.h"
#include "sortkey.h"
#include "status.h"

// Bytes of a line of n keyed elements, and of the arrays that sorting one needs.
static int64_t line_bytes(int64_t dtype, int64_t n) {
  const int64_t element = tc_key_is_narrow(dtype, n) ? sizeof(tc_narrow) : sizeof(tc_wide);
  return (n * element + 63) & ~(int64_t)63;
}

int64_t tc_unique_scratch(const tc_unique_args *a) {
  if (a->consecutive) return line_bytes(a->dtype, a->n);
  return 2 * line_bytes(a->dtype, a->n) + TC_SORT_HISTOGRAM * (int64_t)sizeof(uint32_t);
}

// The groups of equal neighbours in the order of e.
#define GROUP(name, T, KEY, PLACE)                                                         \
  static int64_t name(const tc_unique_args *a, const T *e) {                               \
    int64_t *inverse = TC_PTR(int64_t, a->inverse), *counts = TC_PTR(int64_t, a->counts);  \
    const char *in = TC_PTR(const char, a->in);                                            \
    char *values = TC_PTR(char, a->values);                                                \
    const int64_t size = tc_dtype_size(a->dtype);                                          \
    int64_t groups = 0, start = 0;                                                         \
    for (int64_t i = 0; i < a->n; i++) {                                                   \
      const bool first = i == 0 || KEY(e[i]) != KEY(e[i - 1]) || tc_key_is_nan(KEY(e[i]), a->dtype); \
      if (first) {                                                                         \
        if (counts && groups > 0) counts[groups - 1] = i - start;                          \
        if (values) memcpy(values + groups * size, in + PLACE(e[i]) * size, (size_t)size); \
        start = i;                                                                         \
        groups++;                                                                          \
      }                                                                                    \
      if (inverse) inverse[PLACE(e[i])] = groups - 1;                                      \
    }                                                                                      \
    if (counts && groups > 0) counts[groups - 1] = a->n - start;                           \
    return groups;                                                                         \
  }
#define WIDE_KEY(e) ((e).key)
#define WIDE_PLACE(e) ((e).place)
GROUP(group_narrow, tc_narrow, tc_narrow_key, tc_narrow_place)
GROUP(group_wide, tc_wide, WIDE_KEY, WIDE_PLACE)
#undef GROUP

int32_t tc_unique(const tc_unique_args *a) {
  if (!tc_has_keys(a->dtype)) return tc_unsupported(a->dtype);
  const int64_t bytes = line_bytes(a->dtype, a->n);
  char *e = TC_PTR(char, a->scratch), *spare = e + bytes;
  uint32_t *histogram = (uint32_t *)(spare + bytes);
  const void *in = TC_PTR(const void, a->in);
  int64_t *count = TC_PTR(int64_t, a->count);
  const int bits = tc_key_bits(a->dtype);
  if (tc_key_is_narrow(a->dtype, a->n)) {
    tc_narrow *line = (tc_narrow *)e;
    tc_load_narrow(line, in, a->dtype, a->n, 1, false);
    if (!a->consecutive) line = tc_sort_narrow(line, (tc_narrow *)spare, a->n, bits, histogram);
    *count = group_narrow(a, line);
  } else {
    tc_wide *line = (tc_wide *)e;
    tc_load_wide(line, in, a->dtype, a->n, 1, false);
    if (!a->consecutive) line = tc_sort_wide(line, (tc_wide *)spare, a->n, bits, histogram);
    *count = group_wide(a, line);
  }
  return TC_OK;
}

// Rows: their elements are replaced by keys once (uint64 each), so that comparing rows is comparing words.

int64_t tc_unique_rows_scratch(const tc_unique_rows_args *a) {
  return (a->n * a->row + 2 * a->n) * (int64_t)sizeof(uint64_t);
}

static int compare_rows(const uint64_t *x, const uint64_t *y, int64_t row) {
  for (int64_t i = 0; i < row; i++) {
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  }
  return 0;
}

// Bottom-up merge sort of row numbers; stable.
static int64_t *sort_rows(int64_t *order, int64_t *spare, const uint64_t *keys, int64_t n, int64_t row) {
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t start = 0; start < n; start += 2 * width) {
      const int64_t middle = start + width < n ? start + width : n;
      const int64_t end = start + 2 * width < n ? start + 2 * width : n;
      int64_t i = start, j = middle;
      for (int64_t k = start; k < end; k++) {
        const bool right = i == middle ||
                           (j < end && compare_rows(keys + order[j] * row, keys + order[i] * row, row) < 0);
        spare[k] = right ? order[j++] : order[i++];
      }
    }
    int64_t *t = order;
    order = spare;
    spare = t;
  }
  return order;
}

static bool row_has_nan(const uint64_t *keys, int64_t row, int64_t dtype) {
  for (int64_t i = 0; i < row; i++) {
    if (tc_key_is_nan(keys[i], dtype)) return true;
  }
  return false;
}

static void load_keys(uint64_t *restrict keys, const void *in, int64_t dtype, int64_t n) {
#define LOAD(storage, key)                                        \
  {                                                               \
    const storage *p = (const storage *)in;                       \
    for (int64_t i = 0; i < n; i++) keys[i] = key(p[i]);          \
    break;                                                        \
  }
  TC_SORT_DISPATCH(dtype, LOAD)
#undef LOAD
}

int32_t tc_unique_rows(const tc_unique_rows_args *a) {
  if (!tc_has_keys(a->dtype)) return tc_unsupported(a->dtype);
  uint64_t *keys = TC_PTR(uint64_t, a->scratch);
  int64_t *rows = (int64_t *)(keys + a->n * a->row);
  int64_t *order = TC_PTR(int64_t, a->order), *inverse = TC_PTR(int64_t, a->inverse);
  int64_t *counts = TC_PTR(int64_t, a->counts);
  load_keys(keys, TC_PTR(const void, a->in), a->dtype, a->n * a->row);
  for (int64_t i = 0; i < a->n; i++) rows[i] = i;
  if (!a->consecutive) rows = sort_rows(rows, rows + a->n, keys, a->n, a->row);
  int64_t groups = 0, start = 0;
  for (int64_t i = 0; i < a->n; i++) {
    const uint64_t *row = keys + rows[i] * a->row;
    const bool first = i == 0 || compare_rows(row, keys + rows[i - 1] * a->row, a->row) != 0 ||
                       row_has_nan(row, a->row, a->dtype);
    if (first) {
      if (counts && groups > 0) counts[groups - 1] = i - start;
      order[groups++] = rows[i];
      start = i;
    }
    if (inverse) inverse[rows[i]] = groups - 1;
  }
  if (counts && groups > 0) counts[groups - 1] = a->n - start;
  *TC_PTR(int64_t, a->count) = groups;
  return TC_OK;
}
