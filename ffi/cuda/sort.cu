// tc_sort, tc_topk, tc_kthvalue, tc_median, tc_mode: all from sorted lines. Among equal values they take the first ones,
// where the CPU repeats libstdc++'s choices (PyTorch's kernels differ between devices there too).
#include "sort.cuh"

namespace tc {
namespace {

struct Lines { int64_t outer, n, inner; };

// Place i of line `line` in a tensor (outer, k, inner).
TC_FN int64_t element_at(const Lines &l, int64_t line, int64_t k, int64_t i) {
  return (line / l.inner * k + i) * l.inner + line % l.inner;
}

// Writes the first k of each sorted line.
template <class T, class E>
__global__ void take_kernel(const E *e, const T *in, T *values, int64_t *indices, TC_ARG(Lines) l, int64_t k, int64_t from) {
  const int64_t total = l.outer * l.inner * k;
  for (int64_t i = thread_index(); i < total; i += thread_count()) {
    const int64_t line = i / k, rank = i % k, place = e[line * l.n + from + rank].place();
    const int64_t at = element_at(l, line, k, rank);
    if (values) values[at] = in[element_at(l, line, l.n, place)];
    if (indices) indices[at] = place;
  }
}

enum Choice { MEDIAN, NAN_MEDIAN, MODE };

template <class T, class E>
__global__ void choose_kernel(const E *e, const T *in, T *values, int64_t *indices, TC_ARG(Lines) l, int dtype, int choice) {
  for (int64_t line = thread_index(); line < l.outer * l.inner; line += thread_count()) {
    const E *const s = e + line * l.n;
    int64_t rank = 0;
    if (choice == MODE) {  // the longest run, the first of several; a NaN is a run of its own
      int64_t most = 0, run = 0;
      for (int64_t i = 0; i < l.n; i++) {
        run = i > 0 && s[i].key() == s[i - 1].key() && !key_is_nan(s[i].key(), dtype) ? run + 1 : 1;
        if (run > most) {
          most = run;
          rank = i;
        }
      }
    } else {
      int64_t low = 0, high = l.n;  // how many are not NaN
      while (low < high) {
        const int64_t half = low + (high - low) / 2;
        if (key_is_nan(s[half].key(), dtype)) high = half;
        else low = half + 1;
      }
      rank = low == l.n || (choice == NAN_MEDIAN && low > 0) ? (low - 1) / 2 : low;
      if (choice == NAN_MEDIAN && low == 0) rank = 0;
    }
    const int64_t place = s[rank].place();
    if (values) values[line / l.inner * l.inner + line % l.inner] = in[element_at(l, line, l.n, place)];
    if (indices) indices[line / l.inner * l.inner + line % l.inner] = place;
  }
}

template <class T, class E>
const E *sorted(const Frame &f, uint64_t scratch, const T *in, const Lines &l, int64_t dtype, bool descending) {
  const uint64_t flip = descending ? ~0ull >> (64 - key_bits(dtype)) : 0;
  return sort_lines<E>(f, TC_PTR(void, scratch), l.outer * l.inner, l.n, LoadLine<T, E>{in, l.n, l.inner, flip}, Less());
}

int64_t scratch_of(const Lines &l, int64_t dtype) {
  return sort_bytes(l.outer * l.inner, l.n, is_narrow(dtype, l.n) ? int64_t(sizeof(Narrow)) : int64_t(sizeof(Wide)));
}

// The k elements from rank `from` on of each line.
int32_t take(int number, uint64_t scratch, int64_t dtype, const Lines &l, bool descending, int64_t from, int64_t k,
             uint64_t in, uint64_t values, uint64_t indices) {
  const Frame f(number);
  if (f.status != TC_OK || l.outer * l.inner * k * l.n == 0) return f.status;
  const bool known = with_element(dtype, l.n, [&](auto tag, auto element) {
    using T = typename decltype(tag)::type;
    using E = typename decltype(element)::type;
    const T *const source = TC_PTR(const T, in);
    const E *const e = sorted<T, E>(f, scratch, source, l, dtype, descending);
    TC_LAUNCH((take_kernel<T, E>), f.blocks(l.outer * l.inner * k, 256), 256, 0, f.stream, e, source, TC_PTR(T, values),
              TC_PTR(int64_t, indices), l, k, from);
  });
  return known ? f.end() : unsupported(dtype);
}

int32_t choose(int number, const tc_select_args *a, Choice choice) {
  const Frame f(number);
  const Lines l = {a->outer, a->n, a->inner};
  if (f.status != TC_OK || l.outer * l.inner * l.n == 0) return f.status;
  const bool known = with_element(a->dtype, l.n, [&](auto tag, auto element) {
    using T = typename decltype(tag)::type;
    using E = typename decltype(element)::type;
    const T *const source = TC_PTR(const T, a->in);
    const E *const e = sorted<T, E>(f, a->scratch, source, l, a->dtype, false);
    TC_LAUNCH((choose_kernel<T, E>), f.blocks(l.outer * l.inner, 128), 128, 0, f.stream, e, source, TC_PTR(T, a->values),
              TC_PTR(int64_t, a->indices), l, int(a->dtype), int(choice));
  });
  return known ? f.end() : unsupported(a->dtype);
}

int64_t select_scratch(const tc_select_args *a) { return scratch_of({a->outer, a->n, a->inner}, a->dtype); }

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_sort_scratch) int64_t tc_sort_scratch(const tc_sort_args *a) {
  return scratch_of({a->outer, a->n, a->inner}, a->dtype);
}
TC_EXPORT(tc_topk_scratch) int64_t tc_topk_scratch(const tc_select_args *a) { return select_scratch(a); }
TC_EXPORT(tc_kthvalue_scratch) int64_t tc_kthvalue_scratch(const tc_select_args *a) { return select_scratch(a); }
TC_EXPORT(tc_median_scratch) int64_t tc_median_scratch(const tc_select_args *a) { return select_scratch(a); }
TC_EXPORT(tc_mode_scratch) int64_t tc_mode_scratch(const tc_select_args *a) { return select_scratch(a); }

TC_EXPORT(tc_sort) int32_t tc_sort(const tc_sort_args *a) {
  return take(TC_KERNEL_sort, a->scratch, a->dtype, {a->outer, a->n, a->inner}, a->descending, 0, a->n, a->in, a->values,
              a->indices);
}
TC_EXPORT(tc_topk) int32_t tc_topk(const tc_select_args *a) {
  return take(TC_KERNEL_topk, a->scratch, a->dtype, {a->outer, a->n, a->inner}, a->largest, 0, a->k, a->in, a->values,
              a->indices);
}
TC_EXPORT(tc_kthvalue) int32_t tc_kthvalue(const tc_select_args *a) {
  return take(TC_KERNEL_kthvalue, a->scratch, a->dtype, {a->outer, a->n, a->inner}, false, a->k - 1, 1, a->in, a->values,
              a->indices);
}
TC_EXPORT(tc_median) int32_t tc_median(const tc_select_args *a) {
  return choose(TC_KERNEL_median, a, a->ignore_nan ? NAN_MEDIAN : MEDIAN);
}
TC_EXPORT(tc_mode) int32_t tc_mode(const tc_select_args *a) { return choose(TC_KERNEL_mode, a, MODE); }
