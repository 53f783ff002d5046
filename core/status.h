// How a kernel reports that it cannot do what it was asked.
#ifndef TC_STATUS_H
#define TC_STATUS_H

#include "include/tc.h"

// Fills tc_error_info and returns `status`. Not from inside a parallel body: two threads would mix their records.
static inline int32_t tc_fail(int32_t status, int64_t a, int64_t b, int64_t c, int64_t d) {
  tc_error_info[0] = a;
  tc_error_info[1] = b;
  tc_error_info[2] = c;
  tc_error_info[3] = d;
  return status;
}

static inline int32_t tc_unsupported(int64_t dtype) { return tc_fail(TC_UNSUPPORTED, dtype, 0, 0, 0); }

static inline int32_t tc_bad_index(int64_t index, int64_t size, int64_t position, int64_t dim) {
  return tc_fail(TC_INDEX_OUT_OF_RANGE, index, size, position, dim);
}

#endif
