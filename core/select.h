// What tc_topk, tc_kthvalue, tc_median and tc_mode do to one line, for one type of keyed element. A template: define
// TC_SEL_TYPE, TC_SEL_KEY(e), TC_SEL_PLACE(e), TC_SEL_LOAD and TC_SEL_NAME(x), then include. It gives, for an array e of
// n keyed elements, the functions that leave the answer in e (or return its place).

#define TC_STD_TYPE TC_SEL_TYPE
#define TC_STD_LESS(a, b) (TC_SEL_KEY(a) < TC_SEL_KEY(b))
#define TC_STD_NAME(x) TC_SEL_NAME(std_##x)
#include "stdsort.h"

// The k first to the front of e. PyTorch (native/TopKImpl.h) takes partial_sort where k is small; that never reads again
// what it has passed over, so the line streams through a buffer behind the heap instead of being stored.
static void TC_SEL_NAME(topk)(const tc_select_args *a, const char *in, TC_SEL_TYPE *e) {
  const int64_t n = a->n, k = a->k, size = tc_dtype_size(a->dtype);
  const bool descending = a->largest != 0;
  if (k * 64 > n) {
    TC_SEL_LOAD(e, in, a->dtype, n, a->inner, descending);
    TC_SEL_NAME(std_nth_element)(e, k - 1, n);
    if (a->sorted) TC_SEL_NAME(std_sort)(e, k - 1);
    return;
  }
  TC_SEL_LOAD(e, in, a->dtype, k, a->inner, descending);
  TC_SEL_NAME(std_heap_select)(e, k, k);
  TC_SEL_TYPE *buffer = e + k;
  for (int64_t start = k; start < n; start += SELECT_BUFFER) {
    const int64_t count = n - start < SELECT_BUFFER ? n - start : SELECT_BUFFER;
    TC_SEL_LOAD(buffer, in + start * a->inner * size, a->dtype, count, a->inner, descending);
    for (int64_t i = 0; i < count; i++) {
      if (TC_SEL_KEY(buffer[i]) >= TC_SEL_KEY(e[0])) continue;
      TC_SEL_MOVE(buffer[i], start);
      TC_SEL_NAME(std_adjust_heap)(e, 0, k, buffer[i]);
    }
  }
  TC_SEL_NAME(std_sort_heap)(e, k);
}

// PyTorch's quickselect (native/Sorting.cpp, after Sedgewick 1978): the k-th (from 0) to e[k].
static void TC_SEL_NAME(quickselect)(TC_SEL_TYPE *e, int64_t k, int64_t n) {
#define GREATER(x, y) (TC_SEL_KEY(x) > TC_SEL_KEY(y))
  for (int64_t low = 0, high = n - 1; high > low;) {
    if (high == low + 1) {
      if (GREATER(e[low], e[high])) TC_SEL_NAME(std_swap)(e + low, e + high);
      return;
    }
    TC_SEL_NAME(std_swap)(e + low + (high - low) / 2, e + low + 1);
    if (GREATER(e[low + 1], e[high])) TC_SEL_NAME(std_swap)(e + low + 1, e + high);
    if (GREATER(e[low], e[high])) TC_SEL_NAME(std_swap)(e + low, e + high);
    if (GREATER(e[low + 1], e[low])) TC_SEL_NAME(std_swap)(e + low + 1, e + low);
    const TC_SEL_TYPE pivot = e[low];
    int64_t i = low + 1, j = high;
    for (;;) {
      do { i++; } while (GREATER(pivot, e[i]));
      do { j--; } while (GREATER(e[j], pivot));
      if (j < i) break;
      TC_SEL_NAME(std_swap)(e + i, e + j);
    }
    TC_SEL_NAME(std_swap)(e + low, e + j);
    if (j <= k) low = i;
    if (j >= k) high = j - 1;
  }
#undef GREATER
}

// The median's place: the first NaN, or the lower median in (value, place) order. `in` is loaded into e.
static int64_t TC_SEL_NAME(median)(const tc_select_args *a, const char *in, TC_SEL_TYPE *e) {
  TC_SEL_LOAD(e, in, a->dtype, a->n, a->inner, false);
  int64_t nans = 0;
  for (int64_t i = 0; i < a->n; i++) {
    if (!tc_key_is_nan(TC_SEL_KEY(e[i]), a->dtype)) continue;
    if (!a->ignore_nan) return i;
    nans++;
  }
  if (nans == a->n) {  // nothing but equal elements: whichever nth_element leaves in front
    TC_SEL_NAME(std_nth_element)(e, 0, a->n);
    return (int64_t)TC_SEL_PLACE(e[0]);
  }
  const int64_t nth = (a->n - nans - 1) / 2;
  TC_SEL_NAME(std_nth_element)(e, nth, a->n);
  const uint64_t key = TC_SEL_KEY(e[nth]);
  // Of the elements equal to the median, the one with as many equal ones before it as nth_element put before nth.
  int64_t equal_before = nth;
  for (int64_t i = 0; i < nth; i++) equal_before -= TC_SEL_KEY(e[i]) < key;
  const int64_t size = tc_dtype_size(a->dtype);
  for (int64_t start = 0;; start += SELECT_BUFFER) {
    const int64_t count = a->n - start < SELECT_BUFFER ? a->n - start : SELECT_BUFFER;
    TC_SEL_LOAD(e, in + start * a->inner * size, a->dtype, count, a->inner, false);
    for (int64_t i = 0; i < count; i++) {
      if (TC_SEL_KEY(e[i]) == key && equal_before-- == 0) return start + i;
    }
  }
}

// The place of the most frequent element, the smallest of several; which of the equal ones is std::sort's choice.
static int64_t TC_SEL_NAME(mode)(const tc_select_args *a, const char *in, TC_SEL_TYPE *e) {
  TC_SEL_LOAD(e, in, a->dtype, a->n, a->inner, false);
  TC_SEL_NAME(std_sort)(e, a->n);
  int64_t best = 0, most = 0;
  for (int64_t i = 0, run = 0; i < a->n; i++) {
    run++;
    const uint64_t key = TC_SEL_KEY(e[i]);
    if (i + 1 < a->n && key == TC_SEL_KEY(e[i + 1]) && !tc_key_is_nan(key, a->dtype)) continue;
    if (run > most) {
      most = run;
      best = i;
    }
    run = 0;
  }
  return (int64_t)TC_SEL_PLACE(e[best]);
}

#undef TC_SEL_TYPE
#undef TC_SEL_KEY
#undef TC_SEL_PLACE
#undef TC_SEL_MOVE
#undef TC_SEL_LOAD
#undef TC_SEL_NAME
