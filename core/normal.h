// PyTorch's normal distribution over contiguous tensors of 16 elements and more.
#ifndef TC_NORMAL_H
#define TC_NORMAL_H

#include "include/tc.h"

// at::native::templates::cpu::normal_fill for float32 (its AVX2 form), float64, and the 16-bit floats; n >= 16.
void tc_normal_fill(tc_generator *g, void *out, int64_t dtype, int64_t n, double mean, double std);

#endif
