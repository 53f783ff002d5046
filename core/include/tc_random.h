// PyTorch 1.13's CPU random streams, bit for bit.
//
// Every kernel writes contiguous memory. Which elements that memory stands for is PyTorch's doing:
//   memory order (a transposed tensor is filled in the order of its storage; a tensor with gaps or overlaps in
//     logical order, through a contiguous copy): uniform_, normal_, bernoulli_, random_, exponential_ and the other
//     in-place fills, rand_like and the like;
//   logical order: dropout (its mask is contiguous), bernoulli(P), multinomial, poisson, rrelu.
// The order of draws fixes the results, so only what comes after the draws is spread over threads.
#ifndef TC_RANDOM_H
#define TC_RANDOM_H

#define TC_MT_N 624

// MT19937 and what at::CPUGeneratorImpl keeps with it. TypeScript allocates sizeof(tc_generator) bytes and
// tc_generator_seed fills them; get_state/set_state read and write the fields.
typedef struct {
  uint64_t seed;        // all 64 bits, for initial_seed(); the state depends on the low 32
  int64_t left;         // draws left of this block plus 1: 1 after seeding
  int64_t next;         // the next word. A state has left + next == 625, or left 1 and next 0: set_state refuses others
  int64_t has_normal;   // 1: `normal` is the cached second half of a Box-Muller pair
  double normal;
  uint32_t state[TC_MT_N];
} tc_generator;

typedef struct {
  uint64_t generator;
  uint64_t seed;        // of tc_generator_seed
  uint64_t out;         // of tc_generator_u64: one 64-bit draw (uint64)
} tc_generator_args;

// manual_seed: sets seed and state, drops the cached normal.
TC_EXPORT(tc_generator_seed) int32_t tc_generator_seed(const tc_generator_args *a);
// One 64-bit draw (DataLoader's base seed, RandomSampler's seed).
TC_EXPORT(tc_generator_u64) int32_t tc_generator_u64(const tc_generator_args *a);

typedef enum {
  TC_RANDOM_UNIFORM = 0,      // a = from, b = to; floating dtypes
  TC_RANDOM_NORMAL = 1,       // a = mean, b = std; floating dtypes. 16 elements or more and `fill`: the block path
  TC_RANDOM_LOG_NORMAL = 2,   // a = mean, b = std
  TC_RANDOM_EXPONENTIAL = 3,  // a = lambda
  TC_RANDOM_GEOMETRIC = 4,    // a = p; any dtype but bool
  TC_RANDOM_CAUCHY = 5,       // a = median, b = sigma
  TC_RANDOM_BERNOULLI = 6,    // a = p; any dtype
  TC_RANDOM_RANDINT = 7,      // lo .. lo + range - 1; any dtype. range 0 stands for 2^64
  TC_RANDOM_RANDOM = 8,       // random_() without bounds; any dtype
} tc_random_op;

typedef struct {
  int64_t op;
  uint64_t generator;
  int64_t dtype;
  uint64_t out;
  int64_t n;
  double a, b;
  int64_t lo;
  uint64_t range;
  int64_t fill;     // NORMAL: 1 if the tensor being filled is contiguous
} tc_random_args;

TC_EXPORT(tc_random) int32_t tc_random(const tc_random_args *a);

// Draws that depend on another tensor, element by element.
//   bernoulli: p (float32 or float64) probabilities to out (any dtype). Outside [0, 1]: TC_BAD_VALUE {0, position}, before
//     anything is drawn.
//   poisson: p rates, out of the same dtype (float32, float64, float16, bfloat16). Negative: TC_BAD_VALUE {0, position}.
//   binomial: count and p (of out's dtype, float32 or float64); counts and probabilities below 0 give 0, as in PyTorch.
//   standard_gamma: p = alpha; out float32 or float64 and p of the same dtype, or of any floating one for float64.
typedef struct {
  uint64_t generator;
  int64_t dtype;     // of out
  int64_t p_dtype;   // of p
  uint64_t out, p, count;
  int64_t n;
} tc_random_each_args;

TC_EXPORT(tc_bernoulli_each) int32_t tc_bernoulli_each(const tc_random_each_args *a);
TC_EXPORT(tc_poisson) int32_t tc_poisson(const tc_random_each_args *a);
TC_EXPORT(tc_binomial) int32_t tc_binomial(const tc_random_each_args *a);
TC_EXPORT(tc_standard_gamma) int32_t tc_standard_gamma(const tc_random_each_args *a);

// out (n) of any real dtype: a permutation of 0 .. n - 1.
typedef struct {
  uint64_t generator;
  int64_t dtype;
  uint64_t out;
  int64_t n;
} tc_randperm_args;

TC_EXPORT(tc_randperm) int32_t tc_randperm(const tc_randperm_args *a);

// weights (rows, n), out int64 (rows, samples). Without replacement it draws exponentials of the weights' shape and takes
// the largest quotients (one pass over all rows of draws, then the selection).
// TC_BAD_VALUE {0, position}: a weight is negative, inf or nan; {1, row}: the weights of a row sum to 0.
typedef struct {
  uint64_t scratch;
  uint64_t generator;
  int64_t dtype;        // of weights: float32, float64, float16, bfloat16
  uint64_t weights, out;
  int64_t rows, n, samples;
  int64_t replacement;
} tc_multinomial_args;

TC_EXPORT(tc_multinomial) int32_t tc_multinomial(const tc_multinomial_args *a);
TC_EXPORT(tc_multinomial_scratch) int64_t tc_multinomial_scratch(const tc_multinomial_args *a);

// F.dropout in training, 0 < p < 1: mask (uint8 0 or 1, n) drawn as bernoulli_(1 - p), out = in * (mask / (1 - p)),
// the quotient rounded to the dtype. out may be in. The backward is the same product on grad with the given mask.
typedef struct {
  uint64_t generator;  // forward
  int64_t dtype;       // float32, float64, float16, bfloat16
  uint64_t in, out;    // backward: grad, grad_in
  uint64_t mask;       // forward: written; backward: read
  int64_t n;
  double p;
} tc_dropout_args;

TC_EXPORT(tc_dropout) int32_t tc_dropout(const tc_dropout_args *a);
TC_EXPORT(tc_dropout_backward) int32_t tc_dropout_backward(const tc_dropout_args *a);

// F.rrelu in training: where in <= 0, noise = uniform in [lower, upper) (only these draw), elsewhere 1; out = in * noise.
typedef struct {
  uint64_t generator;
  int64_t dtype;       // float32, float64, bfloat16
  uint64_t in, out, noise;
  int64_t n;
  double lower, upper;
} tc_rrelu_args;

TC_EXPORT(tc_rrelu) int32_t tc_rrelu(const tc_rrelu_args *a);

#endif
