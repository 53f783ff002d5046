// tc_unique, tc_unique_rows: sorted, or as they stand, the elements fall into groups of equal neighbours; groups are
// numbered by a running count of their first elements.
#include "sort.cuh"

namespace tc {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kStretch = 1024;
TC_BOTH int64_t stretches_of(int64_t n) { return (n + kStretch - 1) / kStretch; }

// Inclusive sums over the threads of a block.
TC_FN int64_t running_sum(int64_t value) {
  __shared__ int64_t sums[2][kThreads];
  const int t = int(threadIdx.x);
  int from = 0;
  __syncthreads();
  sums[0][t] = value;
  for (int step = 1; step < kThreads; step *= 2, from ^= 1) {
    __syncthreads();
    sums[from ^ 1][t] = sums[from][t] + (t >= step ? sums[from][t - step] : 0);
  }
  __syncthreads();
  return sums[from][t];
}

// How many groups begin in each stretch.
template <class Groups>
__global__ void __launch_bounds__(kThreads) count_kernel(TC_ARG(Groups) groups, int64_t n, int64_t *counts) {
  __shared__ int64_t total;
  for (int64_t s = blockIdx.x; s < stretches_of(n); s += gridDim.x) {
    int64_t count = 0;
    for (int64_t i = s * kStretch + threadIdx.x; i < (s + 1) * kStretch && i < n; i += kThreads) count += groups.first(i);
    const int64_t sum = running_sum(count);
    if (threadIdx.x == kThreads - 1) total = sum;
    __syncthreads();
    if (threadIdx.x == 0) counts[s] = total;
  }
}

// counts[s] becomes what comes before stretch s; one block.
__global__ void __launch_bounds__(kThreads) before_kernel(int64_t *counts, int64_t stretches, int64_t *total) {
  __shared__ int64_t last;
  int64_t carry = 0;
  for (int64_t first = 0; first < stretches; first += kThreads) {
    const int64_t s = first + threadIdx.x, own = s < stretches ? counts[s] : 0, sum = running_sum(own);
    if (s < stretches) counts[s] = carry + sum - own;
    if (threadIdx.x == kThreads - 1) last = sum;
    __syncthreads();
    carry += last;
    __syncthreads();
  }
  if (threadIdx.x == 0) *total = carry;
}

template <class Groups>
__global__ void __launch_bounds__(kThreads) number_kernel(TC_ARG(Groups) groups, int64_t n, const int64_t *before,
                                                          int64_t *starts, int64_t *inverse) {
  __shared__ int64_t last;
  for (int64_t s = blockIdx.x; s < stretches_of(n); s += gridDim.x) {
    int64_t done = before[s];
    for (int64_t from = s * kStretch; from < (s + 1) * kStretch && from < n; from += kThreads) {
      const int64_t i = from + threadIdx.x;
      const bool first = i < n && groups.first(i);
      const int64_t sum = running_sum(first);
      if (first) {
        starts[done + sum - 1] = i;
        groups.found(done + sum - 1, i);
      }
      if (i < n && inverse) inverse[groups.place(i)] = done + sum - 1;
      if (threadIdx.x == kThreads - 1) last = sum;
      __syncthreads();
      done += last;
      __syncthreads();
    }
  }
}

__global__ void lengths_kernel(const int64_t *starts, const int64_t *total, int64_t n, int64_t *counts) {
  const int64_t groups = *total;
  for (int64_t g = thread_index(); g < groups; g += thread_count()) counts[g] = (g + 1 < groups ? starts[g + 1] : n) - starts[g];
}

int64_t group_bytes(int64_t n) { return (stretches_of(n) + n) * int64_t(sizeof(int64_t)); }

template <class Groups>
void number_groups(const Frame &f, const Groups &groups, int64_t n, void *workspace, int64_t *total, int64_t *inverse,
                   int64_t *counts) {
  int64_t *const before = static_cast<int64_t *>(workspace), *const starts = before + stretches_of(n);
  const unsigned blocks = f.blocks(n, kStretch);
  TC_LAUNCH(count_kernel<Groups>, blocks, kThreads, 0, f.stream, groups, n, before);
  TC_LAUNCH(before_kernel, 1, kThreads, 0, f.stream, before, stretches_of(n), total);
  TC_LAUNCH(number_kernel<Groups>, blocks, kThreads, 0, f.stream, groups, n, static_cast<const int64_t *>(before), starts, inverse);
  if (counts)
    TC_LAUNCH(lengths_kernel, f.blocks(n, 256), 256, 0, f.stream, static_cast<const int64_t *>(starts),
              static_cast<const int64_t *>(total), n, counts);
}

template <class T, class E> struct ElementGroups {
  const E *e;
  const T *in;
  T *values;
  int dtype;
  TC_FN bool first(int64_t i) const {
    return i == 0 || e[i].key() != e[i - 1].key() || key_is_nan(e[i].key(), dtype);
  }
  TC_FN int64_t place(int64_t i) const { return e[i].place(); }
  TC_FN void found(int64_t group, int64_t i) const {
    if (values) values[group] = in[e[i].place()];
  }
};

template <class E, class Load> __global__ void load_kernel(E *e, int64_t n, TC_ARG(Load) load) {
  for (int64_t i = thread_index(); i < n; i += thread_count()) e[i] = load(0, i);
}

// Rows by their numbers.
struct RowNumber {
  int64_t row;
  static TC_FN RowNumber last() { return {INT64_MAX}; }
};
struct LoadRow {
  TC_FN RowNumber operator()(int64_t, int64_t i) const { return {i}; }
};
template <class T> struct RowOrder {
  const T *in;
  int64_t length;
  TC_FN int compare(int64_t a, int64_t b) const {
    for (int64_t i = 0; i < length; i++) {
      const uint64_t x = key_of(in[a * length + i]), y = key_of(in[b * length + i]);
      if (x != y) return x < y ? -1 : 1;
    }
    return 0;
  }
  TC_FN bool operator()(RowNumber a, RowNumber b) const {
    if (a.row == INT64_MAX || b.row == INT64_MAX) return a.row < b.row;
    const int order = compare(a.row, b.row);
    return order < 0 || (order == 0 && a.row < b.row);
  }
};
template <class T> struct RowGroups {
  const RowNumber *e;
  RowOrder<T> rows;
  int64_t *order;
  int dtype;
  TC_FN bool has_nan(int64_t row) const {
    for (int64_t i = 0; i < rows.length; i++)
      if (key_is_nan(key_of(rows.in[row * rows.length + i]), dtype)) return true;
    return false;
  }
  TC_FN bool first(int64_t i) const { return i == 0 || rows.compare(e[i].row, e[i - 1].row) != 0 || has_nan(e[i].row); }
  TC_FN int64_t place(int64_t i) const { return e[i].row; }
  TC_FN void found(int64_t group, int64_t i) const { order[group] = e[i].row; }
};

int64_t element_bytes(int64_t dtype, int64_t n) {
  return is_narrow(dtype, n) ? int64_t(sizeof(Narrow)) : int64_t(sizeof(Wide));
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_unique_scratch) int64_t tc_unique_scratch(const tc_unique_args *a) {
  return sort_bytes(1, a->n, element_bytes(a->dtype, a->n)) + group_bytes(a->n);
}
TC_EXPORT(tc_unique_rows_scratch) int64_t tc_unique_rows_scratch(const tc_unique_rows_args *a) {
  return sort_bytes(1, a->n, sizeof(RowNumber)) + group_bytes(a->n);
}

TC_EXPORT(tc_unique) int32_t tc_unique(const tc_unique_args *a) {
  const Frame f(TC_KERNEL_unique);
  if (f.status != TC_OK) return f.status;
  int64_t *const count = TC_PTR(int64_t, a->count);
  if (a->n == 0) {
    cudaMemsetAsync(count, 0, sizeof *count, f.stream);
    return f.end();
  }
  const bool known = with_element(a->dtype, a->n, [&](auto tag, auto element) {
    using T = typename decltype(tag)::type;
    using E = typename decltype(element)::type;
    const T *const in = TC_PTR(const T, a->in);
    const LoadLine<T, E> load = {in, a->n, 1, 0};
    const E *e = TC_PTR(const E, a->scratch);
    if (a->consecutive)
      TC_LAUNCH((load_kernel<E, LoadLine<T, E>>), f.blocks(a->n, 256), 256, 0, f.stream, TC_PTR(E, a->scratch), a->n, load);
    else e = sort_lines<E>(f, TC_PTR(void, a->scratch), 1, a->n, load, Less());
    number_groups(f, ElementGroups<T, E>{e, in, TC_PTR(T, a->values), int(a->dtype)}, a->n,
                  TC_PTR(char, a->scratch) + sort_bytes(1, a->n, sizeof(E)), count, TC_PTR(int64_t, a->inverse),
                  TC_PTR(int64_t, a->counts));
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_unique_rows) int32_t tc_unique_rows(const tc_unique_rows_args *a) {
  const Frame f(TC_KERNEL_unique_rows);
  if (f.status != TC_OK) return f.status;
  int64_t *const count = TC_PTR(int64_t, a->count);
  if (a->n == 0) {
    cudaMemsetAsync(count, 0, sizeof *count, f.stream);
    return f.end();
  }
  const bool known = with_real(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const RowOrder<T> rows = {TC_PTR(const T, a->in), a->row};
    const RowNumber *e = TC_PTR(const RowNumber, a->scratch);
    if (a->consecutive)
      TC_LAUNCH((load_kernel<RowNumber, LoadRow>), f.blocks(a->n, 256), 256, 0, f.stream, TC_PTR(RowNumber, a->scratch), a->n,
                LoadRow());
    else e = sort_lines<RowNumber>(f, TC_PTR(void, a->scratch), 1, a->n, LoadRow(), rows);
    number_groups(f, RowGroups<T>{e, rows, TC_PTR(int64_t, a->order), int(a->dtype)}, a->n,
                  TC_PTR(char, a->scratch) + sort_bytes(1, a->n, sizeof(RowNumber)), count, TC_PTR(int64_t, a->inverse),
                  TC_PTR(int64_t, a->counts));
  });
  return known ? f.end() : unsupported(a->dtype);
}
