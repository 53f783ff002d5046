// Between matmul.cu and blas.cu.
#pragma once

#include "common.cuh"

namespace tc {

constexpr int32_t kNotForBlas = -1;

// The product by cuBLAS: a tc_status, or kNotForBlas, with nothing done, where cuBLAS is not there or does not do this
// one.
int32_t blas_matmul(const Frame &f, const tc_matmul_args *a, const Space<3> &batches);

}  // namespace tc
