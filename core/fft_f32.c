// Fourier transforms of float32 parts.
#define E float
#define T vf32
#define M vi32
#define SPLAT v_set_f32
#define CONSTANT v_const_f32
#define NAME(x) x##_f32

#include "fft_impl.h"
