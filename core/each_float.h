// Includes the template TC_FLOAT_TEMPLATE once for each floating dtype, with these defined:
//   S, E, T, L   storage element, the element that computes, its vector, lanes
//   F(x)         x with the dtype's suffix: f32, f64, f16, bf16 (as in lines.h)
//   EF(x)        x with the suffix of E
//   SPLAT(x)     a number as a vector
//   ROUNDED      1 where S cannot hold E exactly, so that unfinished results cannot wait in S; else 0
#define S float
#define E float
#define T vf32
#define L 4
#define EF(x) x##_f32
#define F(x) x##_f32
#define SPLAT(x) v_set_f32((float)(x))
#define ROUNDED 0
#include TC_FLOAT_TEMPLATE
#undef S
#undef F
#undef ROUNDED

#define S uint16_t
#define ROUNDED 1
#define F(x) x##_f16
#include TC_FLOAT_TEMPLATE
#undef F
#define F(x) x##_bf16
#include TC_FLOAT_TEMPLATE
#undef S
#undef E
#undef T
#undef L
#undef EF
#undef F
#undef SPLAT
#undef ROUNDED

#define S double
#define E double
#define T vf64
#define L 2
#define EF(x) x##_f64
#define F(x) x##_f64
#define SPLAT(x) v_set_f64((double)(x))
#define ROUNDED 0
#include TC_FLOAT_TEMPLATE
#undef S
#undef E
#undef T
#undef L
#undef EF
#undef F
#undef SPLAT
#undef ROUNDED
