// A native kernel test: a program that makes checks, keeps going after a failed one, and ends with
// `return test_end();`. scripts/test_native.sh builds and runs every core/test/test_*.c under the sanitizers.
#ifndef TC_TEST_HARNESS_H
#define TC_TEST_HARNESS_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/tc.h"

static long test_checks, test_failures;

__attribute__((format(printf, 4, 5), unused)) static void test_check(bool ok, const char *file, int line,
                                                                     const char *format, ...) {
  test_checks++;
  if (ok) return;
  test_failures++;
  if (test_failures > 20) return;  // enough to see what is wrong
  fprintf(stderr, "%s:%d: ", file, line);
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}

// A condition; a message may follow: CHECK(i < n, "at %d", i).
#define CHECK(condition, ...) test_check(condition, __FILE__, __LINE__, "" #condition " " __VA_ARGS__)

#define CHECK_EQ(actual, expected)                                                                          \
  do {                                                                                                      \
    const int64_t test_a = (int64_t)(actual), test_e = (int64_t)(expected);                                 \
    test_check(test_a == test_e, __FILE__, __LINE__, "%s: expected %" PRId64 ", but got %" PRId64, #actual, \
               test_e, test_a);                                                                             \
  } while (0)

// |actual - expected| <= atol + rtol * |expected|; NaN equals NaN, and infinities must be equal.
__attribute__((unused)) static bool test_close(double actual, double expected, double rtol, double atol) {
  if (isnan(expected)) return isnan(actual);
  if (isinf(expected)) return actual == expected;
  return fabs(actual - expected) <= atol + rtol * fabs(expected);
}

#define CHECK_CLOSE(actual, expected, rtol, atol)                                                            \
  do {                                                                                                       \
    const double test_a = (double)(actual), test_e = (double)(expected);                                     \
    test_check(test_close(test_a, test_e, rtol, atol), __FILE__, __LINE__, "%s: expected %.17g, but got %.17g", \
               #actual, test_e, test_a);                                                                     \
  } while (0)

// An address slot.
#define TEST_ADDRESS(pointer) ((uint64_t)(uintptr_t)(pointer))

// 64-aligned memory of exactly `bytes`, so that the address sanitizer sees the first byte beyond it; the program's
// end frees it.
__attribute__((unused)) static void *test_alloc(size_t bytes) {
  void *block = NULL;
  if (posix_memalign(&block, 64, bytes ? bytes : 1) != 0) abort();
  memset(block, 0xa5, bytes);
  return block;
}

// Numbers in [-1, 1), the same on every run (splitmix64).
static uint64_t test_seed = 1;
__attribute__((unused)) static uint64_t test_random_bits(void) {
  uint64_t z = (test_seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
__attribute__((unused)) static double test_random(void) {
  return (double)(int64_t)(test_random_bits() >> 11) * 0x1p-52 - 1;
}

static int test_end(void) {
  if (test_checks == 0) {
    fputs("no check was made\n", stderr);
    return 1;
  }
  if (test_failures > 0) {
    fprintf(stderr, "%ld of %ld checks failed\n", test_failures, test_checks);
    return 1;
  }
  printf("%ld checks", test_checks);
  return 0;
}

#endif
