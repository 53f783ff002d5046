// tc_embedding_backward, tc_embedding_renorm.
#include <math.h>
#include <string.h>

#include "indices.h"
#include "numbers.h"
#include "update.h"

int64_t tc_embedding_backward_scratch(const tc_embedding_args *a) {
  return a->scale_grad_by_freq ? a->v * (int64_t)sizeof(int64_t) : 0;
}

// Rows begin .. end - 1 of the weight: each thread reads all indices and adds what is its own, so every row's sum is in
// the order of the indices.
static void add_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_embedding_args *a = ctx;
  const int64_t size = tc_dtype_size(a->dtype), *counts = TC_PTR(const int64_t, a->scratch);
  const void *index = TC_PTR(const void, a->index);
  char *out = TC_PTR(char, a->grad_weight);
  memset(out + begin * a->d * size, 0, (size_t)((end - begin) * a->d * size));
  tc_update u = {.dtype = a->dtype, .op = a->scale_grad_by_freq ? TC_UPDATE_ADD_SCALED : TC_UPDATE_ADD, .m = a->d,
                 .out_stride = 1, .src_stride = 1};
  for (int64_t i = 0; i < a->m; i++) {
    const int64_t row = tc_index_at(index, a->index_dtype, i);
    if (row < begin || row >= end || row == a->padding_idx) continue;
    u.out = out + row * a->d * size;
    u.src = TC_PTR(const char, a->grad) + i * a->d * size;
    if (a->scale_grad_by_freq) u.scale.f = 1 / (double)counts[row];
    tc_update_run(&u);
  }
}

int32_t tc_embedding_backward(const tc_embedding_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  const void *index = TC_PTR(const void, a->index);
  const int32_t status = tc_check_indices(index, a->index_dtype, a->m, a->v, false, 0);
  if (status != TC_OK || a->d == 0) return status;
  if (a->scale_grad_by_freq) {
    int64_t *counts = TC_PTR(int64_t, a->scratch);
    memset(counts, 0, (size_t)tc_embedding_backward_scratch(a));
    for (int64_t i = 0; i < a->m; i++) counts[tc_index_at(index, a->index_dtype, i)]++;
  }
  tc_parallel_for(a->v, 1 + 16384 / a->d, add_rows, (void *)(uintptr_t)a);
  return TC_OK;
}

// One byte for each row: whether it occurs.
int64_t tc_embedding_renorm_scratch(const tc_embedding_args *a) { return a->v; }

static double row_norm(const tc_embedding_args *a, const void *row) {
  double sum = 0;
  for (int64_t i = 0; i < a->d; i++) {
    const double x = fabs(tc_number_at(row, a->dtype, i));
    if (a->norm_type == 2) {
      sum += x * x;
    } else if (a->norm_type == 1) {
      sum += x;
    } else if (isinf(a->norm_type)) {
      sum = x > sum || x != x ? x : sum;
    } else {
      sum += pow(x, a->norm_type);
    }
  }
  if (a->norm_type == 2) return sqrt(sum);
  return a->norm_type == 1 || isinf(a->norm_type) ? sum : pow(sum, 1 / a->norm_type);
}

static void renorm_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_embedding_args *a = ctx;
  for (int64_t r = begin; r < end; r++) {
    if (!TC_PTR(const uint8_t, a->scratch)[r]) continue;
    char *row = TC_PTR(char, a->weight) + r * a->d * tc_dtype_size(a->dtype);
    const double norm = row_norm(a, row);
    if (!(norm > a->max_norm)) continue;
    const double scale = a->max_norm / (norm + 1e-7);
    const tc_number number = {.f = scale};
    uint64_t element;
    tc_number_element(&element, a->dtype, &number);
    tc_update_run(&(tc_update){.dtype = a->dtype, .op = TC_UPDATE_MUL, .out = row, .src = &element, .m = a->d,
                               .out_stride = 1});
  }
}

int32_t tc_embedding_renorm(const tc_embedding_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  const void *index = TC_PTR(const void, a->index);
  const int32_t status = tc_check_indices(index, a->index_dtype, a->m, a->v, false, 0);
  if (status != TC_OK) return status;
  uint8_t *occurs = TC_PTR(uint8_t, a->scratch);
  memset(occurs, 0, (size_t)a->v);
  for (int64_t i = 0; i < a->m; i++) occurs[tc_index_at(index, a->index_dtype, i)] = 1;
  tc_parallel_for(a->v, 1 + 16384 / (a->d + 1), renorm_rows, (void *)(uintptr_t)a);
  return TC_OK;
}
