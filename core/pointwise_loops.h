// One contiguous loop for every line of pointwise.def, for one dtype. The including file defines
//   E, T, M   the element, its vector, its mask
//   SPLAT, CONSTANT  the words that splat an element
//   N(d)      the element nearest to the double d
//   FLOATS or INTS (defined, no value): which lines there is code for
//   TABLE     the name of the table of loops
// No include guard: this is a template.
#include "convert.h"
#include "pointwise.h"
#include "vmath.h"

#define K(c) CONSTANT((E)(c))
#define P(i) (p[i])
#define STEP ((int64_t)(16 / sizeof(E)))

#ifdef FLOATS
#include "pointwise_formulas.h"
#define IF_FLOAT(...) __VA_ARGS__
#define IF_INT(...)
#else
#define IF_FLOAT(...)
#define IF_INT(...) __VA_ARGS__
#endif
#define IF_ALL(...) __VA_ARGS__

// Cheap loops are unrolled: four vectors hide the loop's own cost. Those that call functions would only grow.
#define UNROLL_LIGHT _Pragma("clang loop unroll_count(4)")
#define UNROLL_MATH _Pragma("clang loop unroll(disable)")
#define UNROLL_HEAVY UNROLL_MATH

#define PARAMS \
  const T p[4] = {SPLAT(N(param[0])), SPLAT(N(param[1])), SPLAT(N(param[2])), SPLAT(N(param[3]))}; \
  (void)p;

#define LOOP(name, cost, loads, formula)                                                          \
  static void loop_##name(int64_t n, void *out, const void *const *in, const double *param) {     \
    PARAMS                                                                                        \
    E *o = out;                                                                                   \
    const E *const *e = (const E *const *)in;                                                     \
    UNROLL_##cost                                                                                 \
    for (int64_t i = 0; i < n; i += STEP) { loads v_store(o + i, formula); }                      \
  }

#define TEST_LOOP(name, loads, formula)                                                           \
  static void loop_##name(int64_t n, void *out, const void *const *in, const double *param) {     \
    (void)param;                                                                                  \
    uint8_t *o = out;                                                                             \
    const E *const *e = (const E *const *)in;                                                     \
    for (int64_t i = 0; i < n; i += TC_PW_TEST_STEP) {                                            \
      M m[TC_PW_TEST_STEP / STEP];                                                                \
      for (int64_t j = 0; j < TC_PW_TEST_STEP; j += STEP) { loads m[j / STEP] = (M)(formula); }   \
      v_store(o + i, v_pack_masks(m));                                                            \
    }                                                                                             \
  }

#define X(at) T x = v_load(e[0] + (at));
#define XY(at) X(at) T y = v_load(e[1] + (at));
#define XYZ(at) XY(at) T z = v_load(e[2] + (at));

#define UNARY(name, types, cost, ...) IF_##types(LOOP(name, cost, X(i), (__VA_ARGS__)))
#define BINARY(name, types, cost, ...) IF_##types(LOOP(name, cost, XY(i), (__VA_ARGS__)))
#define TERNARY(name, types, cost, ...) IF_##types(LOOP(name, cost, XYZ(i), (__VA_ARGS__)))
#define TEST(name, types, cost, ...) IF_##types(TEST_LOOP(name, X(i + j), (__VA_ARGS__)))
#define COMPARE(name, types, cost, ...) IF_##types(TEST_LOOP(name, XY(i + j), (__VA_ARGS__)))
#define DIVIDE BINARY
#include "pointwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef TEST
#undef COMPARE
#undef DIVIDE

#define UNARY(name, types, cost, ...) IF_##types([TC_PW_##name] = loop_##name,)
#define BINARY UNARY
#define TERNARY UNARY
#define TEST UNARY
#define COMPARE UNARY
#define DIVIDE UNARY
const tc_pointwise_loop TABLE[TC_PW_COUNT] = {
#include "pointwise.def"
};
