// Optimizer steps and other in-place arithmetic over a list of tensors in one call.
// The formulas and the order of their operations are those of PyTorch 1.13's single-tensor implementations
// (torch/optim/*.py): hyperparameters are combined in double and rounded where PyTorch's operators round them.
#ifndef TC_OPTIM_H
#define TC_OPTIM_H

// One parameter. The state tensors are contiguous, of the parameter's dtype and size; what they hold, by optimizer:
//   SGD       s1 momentum_buffer (0 if momentum is 0; `first` 1: it is written, not read)
//   ADAM, ADAMW  s1 exp_avg, s2 exp_avg_sq, s3 max_exp_avg_sq (amsgrad)
//   RMSPROP   s1 square_avg, s2 momentum_buffer (momentum > 0), s3 grad_avg (centered)
//   ADAGRAD   s1 sum
//   ADADELTA  s1 square_avg, s2 acc_delta
//   ADAMAX    s1 exp_avg, s2 exp_inf
//   NADAM     s1 exp_avg, s2 exp_avg_sq; c1 = mu_product including this step, c2 = this step's mu, c3 = the next step's
//   RADAM     s1 exp_avg, s2 exp_avg_sq
//   ASGD      s1 ax; c1 = eta, c2 = mu (before this step)
//   RPROP     s1 prev, s2 step_size
// grad is never written (weight decay and maximize work on a copy in registers), but by RPROP it is read only.
typedef struct {
  uint64_t param, grad;
  uint64_t s1, s2, s3;
  int64_t n;
  int64_t dtype;   // float32 or float64
  int64_t first;   // SGD
  double step;     // this step's number, from 1
  double c1, c2, c3;
} tc_optim_tensor;

typedef enum {
  TC_OPTIM_SGD = 0, TC_OPTIM_ADAM = 1, TC_OPTIM_ADAMW = 2, TC_OPTIM_RMSPROP = 3, TC_OPTIM_ADAGRAD = 4,
  TC_OPTIM_ADADELTA = 5, TC_OPTIM_ADAMAX = 6, TC_OPTIM_NADAM = 7, TC_OPTIM_RADAM = 8, TC_OPTIM_ASGD = 9,
  TC_OPTIM_RPROP = 10,
} tc_optim_op;

typedef struct {
  int64_t op;
  int64_t count;
  uint64_t tensors;      // tc_optim_tensor[count]
  int64_t maximize;
  double lr;
  double weight_decay;
  double momentum;       // SGD, RMSPROP
  double dampening;      // SGD
  int64_t nesterov;      // SGD
  double beta1, beta2;   // ADAM family
  double eps;
  int64_t amsgrad;       // ADAM, ADAMW
  double alpha;          // RMSPROP, ASGD
  int64_t centered;      // RMSPROP
  double rho;            // ADADELTA
  double lr_decay;       // ADAGRAD
  double lambd;          // ASGD
  double eta_minus, eta_plus, step_min, step_max;  // RPROP
} tc_optim_args;

TC_EXPORT(tc_optim_step) int32_t tc_optim_step(const tc_optim_args *a);

// Lists of pairs (x, y) of contiguous tensors.
typedef struct {
  uint64_t x, y;   // y: only where the operation has one
  int64_t n;
  int64_t dtype;   // float32, float64, float16, bfloat16
} tc_multi_tensor;

typedef enum {
  TC_MULTI_ZERO = 0,     // x = 0 (any dtype)
  TC_MULTI_SCALE = 1,    // x *= value (clip_grad_norm_)
  TC_MULTI_AXPY = 2,     // x += value * y
  TC_MULTI_LERP = 3,     // x += value * (y - x), as torch.lerp (averaged models)
  TC_MULTI_SUMSQ = 4,    // out[i] = sum x^2
  TC_MULTI_SUMABS = 5,   // out[i] = sum |x|
  TC_MULTI_MAXABS = 6,   // out[i] = max |x| (NaN if there is one)
  TC_MULTI_UNSCALE = 7,  // x *= value; out[0] = 1 if any x was inf or nan, else 0 (GradScaler)
  TC_MULTI_CLAMP = 8,    // x = min(max(x, -value), value) (clip_grad_value_)
} tc_multi_op;

typedef struct {
  uint64_t scratch;
  int64_t op;
  int64_t count;
  uint64_t tensors;  // tc_multi_tensor[count]
  double value;
  uint64_t out;      // double[count] (SUMSQ, SUMABS, MAXABS), double[1] (UNSCALE)
} tc_multi_args;

TC_EXPORT(tc_multi) int32_t tc_multi(const tc_multi_args *a);
TC_EXPORT(tc_multi_scratch) int64_t tc_multi_scratch(const tc_multi_args *a);

#endif
