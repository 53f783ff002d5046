// Fourier transforms of float64 parts.
#define E double
#define T vf64
#define M vi64
#define SPLAT v_set_f64
#define CONSTANT v_const_f64
#define NAME(x) x##_f64

#include "fft_impl.h"
