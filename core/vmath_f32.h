// float32 mathematics: the parts, and what is left.
#ifndef TC_VMATH_F32_H
#define TC_VMATH_F32_H

#include "vmath_erf.h"
#include "vmath_exp.h"
#include "vmath_log.h"
#include "vmath_trig.h"
#include "vmath_wide.h"

TC_WORD vi32 v_signbit(vf32 x) { return (vi32)x >> 31; }
TC_WORD vf32 v_nextafter(vf32 x, vf32 y) {
  return (vf32){nextafterf(x[0], y[0]), nextafterf(x[1], y[1]), nextafterf(x[2], y[2]), nextafterf(x[3], y[3])};
}

#endif
