// The contiguous loops of pointwise_complex.def for one complex dtype. The including file defines
//   E, T, M          the parts' type, its vector, its mask
//   SPLAT, CONSTANT  the words that splat an element
//   TABLE            the name of the table of loops
// No include guard: this is a template.
#include "include/tc.h"
#include "pointwise.h"
#include "vmath.h"

#define K(c) CONSTANT((E)(c))

#include "vcomplex.h"

#define P ((C){SPLAT((E)param[0]), SPLAT((E)param[1])})

#define VALUE(name, loads, formula)                                                               \
  static void loop_##name(int64_t n, void *out, const void *const *in, const double *param) {     \
    (void)param;                                                                                  \
    E *o = out;                                                                                   \
    const E *const *e = (const E *const *)in;                                                     \
    for (int64_t i = 0; i < 2 * n; i += 2 * LANES) { loads c_store(o + i, formula); }             \
  }

#define TEST(name, loads, formula)                                                                \
  static void loop_##name(int64_t n, void *out, const void *const *in, const double *param) {     \
    (void)param;                                                                                  \
    uint8_t *o = out;                                                                             \
    const E *const *e = (const E *const *)in;                                                     \
    for (int64_t i = 0; i < n; i += TC_PW_TEST_STEP) {                                            \
      M m[TC_PW_TEST_STEP / LANES];                                                               \
      for (int64_t j = 0; j < TC_PW_TEST_STEP; j += LANES) { loads m[j / LANES] = (M)(formula); } \
      v_store(o + i, v_pack_masks(m));                                                            \
    }                                                                                             \
  }

#define X(at) C x = c_load(e[0] + (at));
#define XY(at) X(at) C y = c_load(e[1] + (at));
#define XYZ(at) XY(at) C z = c_load(e[2] + (at));

#define VALUE1(name, ...) VALUE(name, X(i), (__VA_ARGS__))
#define VALUE2(name, ...) VALUE(name, XY(i), (__VA_ARGS__))
#define VALUE3(name, ...) VALUE(name, XYZ(i), (__VA_ARGS__))
#define TEST1(name, ...) TEST(name, X(2 * (i + j)), (__VA_ARGS__))
#define TEST2(name, ...) TEST(name, XY(2 * (i + j)), (__VA_ARGS__))
#include "pointwise_complex.def"
#undef VALUE1
#undef VALUE2
#undef VALUE3
#undef TEST1
#undef TEST2

#define VALUE1(name, ...) [TC_PW_##name] = loop_##name,
#define VALUE2 VALUE1
#define VALUE3 VALUE1
#define TEST1 VALUE1
#define TEST2 VALUE1
const tc_pointwise_loop TABLE[TC_PW_COUNT] = {
#include "pointwise_complex.def"
};
