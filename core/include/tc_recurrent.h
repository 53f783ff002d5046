// The elementwise part of a step of a recurrent network. Everything is contiguous and of `dtype`: float32 or float64.
#ifndef TC_RECURRENT_H
#define TC_RECURRENT_H

// Shapes: gates, dgates (rows, 4 * hidden): input, forget, cell and output gate side by side; all else (rows, hidden).
// Forward: gates holds the gates' sums and is left with their activations;
//   c = f * c_prev + i * g, h = o * tanh(c).
// Backward: gates holds the activations. dc is the gradient of c that comes from later steps and is left with that of
// c_prev; dc_more (or 0) is added to it first. dh and dc_more are read only; dgates is that of the sums.
typedef struct {
  int64_t dtype;
  int64_t rows, hidden;
  uint64_t gates, c_prev, c;
  uint64_t h;                        // forward only
  uint64_t dh, dc, dc_more, dgates;  // backward only
} tc_lstm_cell_args;

TC_EXPORT(tc_lstm_cell) int32_t tc_lstm_cell(const tc_lstm_cell_args *a);
TC_EXPORT(tc_lstm_cell_backward) int32_t tc_lstm_cell_backward(const tc_lstm_cell_args *a);

#endif
