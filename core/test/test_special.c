// Special functions against values from elsewhere (special_values.h): float64 to 1e-13, float32 to a unit in the last
// place of the function of the rounded argument.
#include "../pointwise.h"
#include "special_values.h"
#include "tensors.h"

#define BINARY UNARY
#define TERNARY UNARY
#define TEST UNARY
#define COMPARE UNARY
#define DIVIDE UNARY
#define UNARY(name, types, cost, ...) #name,
static const char *const names[TC_PW_COUNT] = {
#include "../pointwise.def"
};
#undef UNARY
#undef BINARY
#undef TERNARY

static const int64_t inputs[TC_PW_COUNT] = {
#define UNARY(name, types, cost, ...) 1,
#define BINARY(name, types, cost, ...) 2,
#define TERNARY BINARY
#include "../pointwise.def"
};

static double value(int64_t op, int64_t dtype, double param, double x, double y) {
  void *in[2] = {tensor(dtype, 1), tensor(dtype, 1)}, *out = tensor(dtype, 1);
  put(in[0], dtype, 0, x);
  put(in[1], dtype, 0, y);
  tc_pointwise_args a = {.op = op, .nargs = 1 + inputs[op], .compute = dtype, .param = {param},
                         .dtype = {dtype, dtype, dtype},
                         .data = {TEST_ADDRESS(out), TEST_ADDRESS(in[0]), TEST_ADDRESS(in[1])}};
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  double got = get(out, dtype, 0);
  free(in[0]), free(in[1]), free(out);
  return got;
}

static void one(int64_t op, double param, double x, double y, double want) {
  // Where a function crosses zero, only what the argument's last digit is worth can be asked for.
  const double got = value(op, TC_F64, param, x, y), slack = 1e-15 * (1 + (isfinite(x) ? fabs(x) : 0));
  CHECK(test_close(got, want, 1e-13, slack), "%s(%.17g, %.17g), parameter %g: expected %.17g, but got %.17g", names[op],
        x, y, param, want, got);
  x = (float)x, y = (float)y;
  const double narrow = value(op, TC_F32, param, x, y), exact = value(op, TC_F64, param, x, y);
  if (fabs(exact) > 3.4e38 && isinf(narrow)) return;
  CHECK(test_close(narrow, exact, 0x1p-23, 0x1p-148), "float32 %s(%.9g, %.9g), parameter %g: expected %.9g, but got %.9g",
        names[op], x, y, param, exact, narrow);
}

int main(void) {
  for (size_t i = 0; i < sizeof special_values / sizeof special_values[0]; i++) {
    one(special_values[i].op, special_values[i].param, special_values[i].x, special_values[i].y, special_values[i].want);
  }
  return test_end();
}
