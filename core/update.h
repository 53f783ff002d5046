// Updating places of a tensor in order: what scatter, index_add, index_put and the embeddings' gradients
// come down to.
#ifndef TC_UPDATE_H
#define TC_UPDATE_H

#include "include/tc.h"

typedef enum {
  TC_UPDATE_ASSIGN,      // any dtype
  TC_UPDATE_ADD,
  TC_UPDATE_ADD_SCALED,  // adds scale * src, rounded once for 16-bit floats
  TC_UPDATE_MUL,
  TC_UPDATE_MAX,         // NaN on either side comes through
  TC_UPDATE_MIN,
} tc_update_op;

// for k = 0 .. m - 1, in this order: out[k * out_stride + place[k * place_stride] * place_scale] op= src[k * src_stride].
// place 0: no such term. src_stride 0 repeats a number. Everything but ASSIGN and ADD wants a real dtype.
typedef struct {
  int64_t dtype;
  tc_update_op op;
  void *out;
  const void *src;
  const int64_t *place;
  int64_t m, out_stride, src_stride, place_stride, place_scale;
  tc_number scale;
} tc_update;

void tc_update_run(const tc_update *u);

// The number that `op` starts from, as one element of dtype at `out`.
void tc_update_identity(void *out, int64_t dtype, tc_update_op op);

// A number argument (see tc_number) as one element of dtype at `out`.
void tc_number_element(void *out, int64_t dtype, const tc_number *number);

// out[i] /= counts[i] + more, rounding down for integers, where counts[i] is not 0. n contiguous elements.
void tc_update_divide(void *out, int64_t dtype, const int64_t *counts, int64_t more, int64_t n);

#endif
