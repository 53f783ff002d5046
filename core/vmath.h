// All the words of pointwise.def: vectors and their mathematics. Measured accuracy: docs/accuracy.md.
#ifndef TC_VMATH_H
#define TC_VMATH_H

#include "simd.h"
#include "vint.h"
#include "vmath_f64.h"
#include "vmath_f32.h"

#endif
