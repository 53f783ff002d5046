#ifndef TC_MATMUL_INT_H
#define TC_MATMUL_INT_H

#include "include/tc.h"

// One product of an integer dtype; the addresses stand in for those of `s`. On all threads, or on the calling one when
// inside a parallel body.
void tc_matmul_int(const tc_matmul_args *s, const void *a, const void *b, void *c);

#endif
