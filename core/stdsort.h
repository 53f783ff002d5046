// libstdc++'s sort, partial_sort and nth_element, step by step (bits/stl_algo.h, bits/stl_heap.h; unchanged for many
// years). Where several elements are equal, PyTorch's topk and mode return the index that these algorithms happen to
// leave in place, so agreeing with PyTorch means repeating their moves.
//
// A template: define TC_STD_TYPE (the element), TC_STD_LESS(a, b) and TC_STD_NAME(x) (adds a suffix), then include.

static inline void TC_STD_NAME(swap)(TC_STD_TYPE *a, TC_STD_TYPE *b) {
  const TC_STD_TYPE t = *a;
  *a = *b;
  *b = t;
}

static void TC_STD_NAME(adjust_heap)(TC_STD_TYPE *a, int64_t hole, int64_t n, TC_STD_TYPE value) {
  const int64_t top = hole;
  int64_t child = hole;
  while (child < (n - 1) / 2) {
    child = 2 * (child + 1);
    if (TC_STD_LESS(a[child], a[child - 1])) child--;
    a[hole] = a[child];
    hole = child;
  }
  if ((n & 1) == 0 && child == (n - 2) / 2) {
    child = 2 * (child + 1);
    a[hole] = a[child - 1];
    hole = child - 1;
  }
  for (int64_t parent = (hole - 1) / 2; hole > top && TC_STD_LESS(a[parent], value); parent = (hole - 1) / 2) {
    a[hole] = a[parent];
    hole = parent;
  }
  a[hole] = value;
}

// The n elements at `a` are a heap: swaps its largest with *to and restores the heap (to may lie behind it or be its end).
static inline void TC_STD_NAME(pop_heap)(TC_STD_TYPE *a, int64_t n, TC_STD_TYPE *to) {
  const TC_STD_TYPE value = *to;
  *to = a[0];
  TC_STD_NAME(adjust_heap)(a, 0, n, value);
}

// The k smallest of n to the front, as a heap.
static void TC_STD_NAME(heap_select)(TC_STD_TYPE *a, int64_t k, int64_t n) {
  for (int64_t parent = (k - 2) / 2; k >= 2 && parent >= 0; parent--) {
    TC_STD_NAME(adjust_heap)(a, parent, k, a[parent]);
  }
  for (int64_t i = k; i < n; i++) {
    if (TC_STD_LESS(a[i], a[0])) TC_STD_NAME(pop_heap)(a, k, a + i);
  }
}

static void TC_STD_NAME(sort_heap)(TC_STD_TYPE *a, int64_t n) {
  for (int64_t last = n - 1; last > 0; last--) TC_STD_NAME(pop_heap)(a, last, a + last);
}

// std::partial_sort(a, a + k, a + n) is heap_select and sort_heap of the first k.

static void TC_STD_NAME(insertion_sort)(TC_STD_TYPE *a, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    const TC_STD_TYPE value = a[i];
    int64_t j = i;
    for (; j > 0 && TC_STD_LESS(value, a[j - 1]); j--) a[j] = a[j - 1];
    a[j] = value;
  }
}

// Median of three to the front as the pivot, then Hoare's partition; returns the first place of the upper part.
static int64_t TC_STD_NAME(partition)(TC_STD_TYPE *a, int64_t first, int64_t last) {
  TC_STD_TYPE *pivot = a + first, *x = a + first + 1, *y = a + first + (last - first) / 2, *z = a + last - 1;
  TC_STD_TYPE *median;
  if (TC_STD_LESS(*x, *y)) {
    median = TC_STD_LESS(*y, *z) ? y : TC_STD_LESS(*x, *z) ? z : x;
  } else {
    median = TC_STD_LESS(*x, *z) ? x : TC_STD_LESS(*y, *z) ? z : y;
  }
  TC_STD_NAME(swap)(pivot, median);
  int64_t i = first + 1, j = last;
  for (;;) {
    while (TC_STD_LESS(a[i], *pivot)) i++;
    j--;
    while (TC_STD_LESS(*pivot, a[j])) j--;
    if (i >= j) return i;
    TC_STD_NAME(swap)(a + i, a + j);
    i++;
  }
}

// Twice the logarithm, the depth after which both quicksorts turn to heaps.
static inline int64_t TC_STD_NAME(depth_limit)(int64_t n) {
  return 2 * (63 - __builtin_clzll((unsigned long long)n));
}

static void TC_STD_NAME(introsort)(TC_STD_TYPE *a, int64_t first, int64_t last, int64_t depth) {
  while (last - first > 16) {
    if (depth-- == 0) {
      TC_STD_NAME(heap_select)(a + first, last - first, last - first);
      TC_STD_NAME(sort_heap)(a + first, last - first);
      return;
    }
    const int64_t cut = TC_STD_NAME(partition)(a, first, last);
    TC_STD_NAME(introsort)(a, cut, last, depth);
    last = cut;
  }
}

// std::sort(a, a + n)
static void TC_STD_NAME(sort)(TC_STD_TYPE *a, int64_t n) {
  if (n < 2) return;
  TC_STD_NAME(introsort)(a, 0, n, TC_STD_NAME(depth_limit)(n));
  TC_STD_NAME(insertion_sort)(a, n);
}

// std::nth_element(a, a + nth, a + n)
static void TC_STD_NAME(nth_element)(TC_STD_TYPE *a, int64_t nth, int64_t n) {
  if (n == 0 || nth >= n) return;
  int64_t first = 0, last = n;
  for (int64_t depth = TC_STD_NAME(depth_limit)(n); last - first > 3;) {
    if (depth-- == 0) {
      TC_STD_NAME(heap_select)(a + first, nth + 1 - first, last - first);
      TC_STD_NAME(swap)(a + first, a + nth);
      return;
    }
    const int64_t cut = TC_STD_NAME(partition)(a, first, last);
    if (cut <= nth) {
      first = cut;
    } else {
      last = cut;
    }
  }
  TC_STD_NAME(insertion_sort)(a + first, last - first);
}

#undef TC_STD_TYPE
#undef TC_STD_LESS
#undef TC_STD_NAME
