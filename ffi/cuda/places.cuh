// What reading (index.cu) and writing (scatter.cu) at given places share: number arguments as elements, and the spaces of their structs.
#pragma once

#include "atomics.cuh"

namespace tc {

// An element's bits, for moves of any dtype, and a number argument in that form.
template <class T> T number_as(int64_t dtype, const tc_number *value) {
  T bits = {};
  if (with_real(dtype, [&](auto tag) {
        using R = typename decltype(tag)::type;
        const R r = with_floating(dtype, [](auto) {}) ? convert<R>(value->f) : convert<R>(value->i);
        memcpy(&bits, &r, sizeof r < sizeof bits ? sizeof r : sizeof bits);
      }))
    return bits;
  if (dtype == TC_C64) {
    const float parts[2] = {float(value[0].f), float(value[1].f)};
    memcpy(&bits, parts, sizeof bits < sizeof parts ? sizeof bits : sizeof parts);
  } else {
    const double parts[2] = {value[0].f, value[1].f};
    memcpy(&bits, parts, sizeof bits < sizeof parts ? sizeof bits : sizeof parts);
  }
  return bits;
}

// The space of gather's or scatter's struct, with operand `moving` (which the index moves) standing still along dim.
template <class A> bool line_space(const A *a, int moving, Space<3> *space) {
  int64_t along[3] = {a->dim_stride[0], a->dim_stride[1], a->dim_stride[2]};
  along[moving] = 0;
  bool fits = space->add(a->n, along);
  for (int64_t d = 0; d < a->ndim && fits; d++) fits = space->add(a->shape[d], a->stride[d]);
  space->finish();
  return fits;
}

// Rows of tensors (outer, rows, inner), at positions that an index of m holds.
struct Rows { int64_t outer, m, inner, outer_stride, row_stride; int index_dtype; };

}  // namespace tc
