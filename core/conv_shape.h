// Where a convolution reads and writes, apart from element types: what conv_impl.h works from.
//
// The forward pass and the gradient of the input are the same sum,
//   dst[row, position] = sum over (channel, tap) of weight[row, channel, tap] * src[channel, place(position, tap)],
// once src has its zeros around it. A forward pass has one class of positions, all of dst. Where the gradient of a
// strided convolution is taken, positions of dst that differ modulo the stride see different taps; each residue is a
// class with a stride 1 sum of its own, and no product with an inserted zero is ever formed.
//
// src is copied with its zeros ("prepared") only where some window sticks out, or where the width has a stride: a copied
// row then holds the columns of each residue one after the other, so that neighbouring positions always read
// neighbouring elements.
#ifndef TC_CONV_SHAPE_H
#define TC_CONV_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "include/tc.h"

typedef struct {
  bool backward;                          // the gradient of the input: src is y, dst is x
  ptrdiff_t batch, groups;
  ptrdiff_t src_channels, dst_channels;   // of one group
  ptrdiff_t src_size[3], dst_size[3];
  ptrdiff_t kernel[3], stride[3], padding[3], dilation[3];
  ptrdiff_t taps;                         // of the whole kernel
  // Prepared source: zeros before, extents (in width: of one residue), residues of the width, strides in elements.
  bool copy;
  ptrdiff_t before[3], extent[3], residues;
  ptrdiff_t row, plane, channel;
  ptrdiff_t classes[3];                   // residues of dst's positions
  // weight[group, row, channel, tap], in elements.
  ptrdiff_t weight_row, weight_channel, weight_group;
} tc_conv_shape;

// One class along one dimension.
typedef struct {
  ptrdiff_t count;     // positions
  ptrdiff_t first, step;      // in dst
  ptrdiff_t source_step;      // of a position, in prepared source
  ptrdiff_t taps;             // that this class sees
} tc_conv_axis;

// A class of positions, with its tables.
typedef struct {
  ptrdiff_t grid[3];          // positions
  ptrdiff_t positions, k;     // all of them; channels times taps
  ptrdiff_t first, step[3];   // element of dst's plane, and from one position to the next
  ptrdiff_t taps[3];          // that this class sees
  ptrdiff_t source_step[3];   // of a position, in rows (planes, columns) of prepared source
  int32_t *place;             // of each position in prepared source
  int32_t *offset;            // of each (channel, tap), to be added
  int32_t *weight;            // of each (channel, tap) in a row of the weight
  int32_t *line;              // of each tap along the height: the prepared row where the first position finds it
} tc_conv_class;

tc_conv_shape tc_conv_make_shape(const tc_conv_args *a, bool backward);

// Number of classes, and of table entries (int32) that all of them need together.
ptrdiff_t tc_conv_class_count(const tc_conv_shape *s);
ptrdiff_t tc_conv_table_size(const tc_conv_shape *s);

// Class number `index`, sizes only (tables 0), and with its tables at `tables`; returns the entries used.
tc_conv_class tc_conv_make_class(const tc_conv_shape *s, ptrdiff_t index);
// Channels are outermost in the order of taps, as in the weight, or stand between the height and the width of the
// kernel, so that all taps of one height are together.
typedef enum { TC_CHANNELS_OUTERMOST, TC_CHANNELS_INSIDE } tc_tap_order;
ptrdiff_t tc_conv_fill_tables(const tc_conv_shape *s, ptrdiff_t index, tc_tap_order order, tc_conv_class *c,
                              int32_t *tables);

#endif
