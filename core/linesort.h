// Sorting one line of keyed elements: insertion sort and merges for short ones, radix sort, least significant digit
// first, for long ones. A template: define TC_LINE_TYPE, TC_LINE_KEY(e) (unsigned), TC_LINE_LESS(a, b) and TC_LINE_NAME(x),
// then include. Stable.

// Below this many elements merging beats the radix sort's fixed cost; above the second number wide digits pay.
#define TC_LINE_MERGE 256
#define TC_LINE_WIDE_DIGITS 16384

static void TC_LINE_NAME(merge)(const TC_LINE_TYPE *restrict a, int64_t na, const TC_LINE_TYPE *restrict b, int64_t nb,
                                TC_LINE_TYPE *restrict out) {
  int64_t i = 0, j = 0, k = 0;
  while (i < na && j < nb) {  // no branch on the data: which of the two it is, is a coin toss
    const bool right = TC_LINE_LESS(b[j], a[i]);
    out[k++] = right ? b[j] : a[i];
    j += right;
    i += !right;
  }
  if (i < na) memcpy(out + k, a + i, (size_t)(na - i) * sizeof *out);
  if (j < nb) memcpy(out + k, b + j, (size_t)(nb - j) * sizeof *out);
}

static TC_LINE_TYPE *TC_LINE_NAME(merge_sort)(TC_LINE_TYPE *e, TC_LINE_TYPE *spare, int64_t n) {
  const int64_t run = 16;
  for (int64_t start = 0; start < n; start += run) {
    const int64_t end = start + run < n ? start + run : n;
    for (int64_t i = start + 1; i < end; i++) {
      const TC_LINE_TYPE value = e[i];
      int64_t j = i;
      for (; j > start && TC_LINE_LESS(value, e[j - 1]); j--) e[j] = e[j - 1];
      e[j] = value;
    }
  }
  for (int64_t width = run; width < n; width *= 2) {
    for (int64_t start = 0; start < n; start += 2 * width) {
      const int64_t middle = start + width < n ? start + width : n;
      const int64_t end = start + 2 * width < n ? start + 2 * width : n;
      TC_LINE_NAME(merge)(e + start, middle - start, e + middle, end - middle, spare + start);
    }
    TC_LINE_TYPE *t = e;
    e = spare;
    spare = t;
  }
  return e;
}

TC_LINE_TYPE *TC_LINE_NAME(tc_sort)(TC_LINE_TYPE *e, TC_LINE_TYPE *spare, int64_t n, int key_bits, uint32_t *histogram) {
  if (n < TC_LINE_MERGE) return TC_LINE_NAME(merge_sort)(e, spare, n);
  const int width = n < TC_LINE_WIDE_DIGITS || key_bits <= 16 ? 8 : 11;
  const int digits = (key_bits + width - 1) / width;
  const uint32_t mask = (1u << width) - 1;
  memset(histogram, 0, (size_t)(digits << width) * sizeof *histogram);
  for (int64_t i = 0; i < n; i++) {
    const uint64_t key = TC_LINE_KEY(e[i]);
    for (int d = 0; d < digits; d++) histogram[(d << width) + (int)((key >> (d * width)) & mask)]++;
  }
  for (int d = 0; d < digits; d++) {
    uint32_t *start = histogram + (d << width);
    const int shift = d * width;
    if (start[(TC_LINE_KEY(e[0]) >> shift) & mask] == n) continue;  // one digit everywhere: nothing to do
    for (uint32_t i = 0, sum = 0; i <= mask; i++) {
      const uint32_t count = start[i];
      start[i] = sum;
      sum += count;
    }
    for (int64_t i = 0; i < n; i++) spare[start[(TC_LINE_KEY(e[i]) >> shift) & mask]++] = e[i];
    TC_LINE_TYPE *t = e;
    e = spare;
    spare = t;
  }
  return e;
}

#undef TC_LINE_TYPE
#undef TC_LINE_KEY
#undef TC_LINE_LESS
#undef TC_LINE_NAME
