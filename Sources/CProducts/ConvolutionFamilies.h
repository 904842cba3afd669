// Families of results that have the same taps, and their weights in panels.
//
// Forward, all results are one family; to the inputs, those of one residue modulo the strides are.

#pragma once

#include "ConvolutionTiles.h"

/// One axis of a family: results at every step-th place, and their taps in ascending order of the source.
typedef struct {
  /// The number of results, the place of the first, and the distance.
  ptrdiff_t positions, place, step;
  /// The distance in the source of the taps of neighbouring results.
  ptrdiff_t stride;
  /// The taps: elements of the kernel, and their offsets in the source from the stride times the position.
  ptrdiff_t taps, kernel, kernelStep, offset, offsetStep;
} Axis;

static Axis forward_axis(const cproducts_axis *axis) {
  return (Axis){
      .positions = axis->output,
      .step = 1,
      .stride = axis->stride,
      .taps = axis->kernel,
      .kernelStep = 1,
      .offset = -axis->before,
      .offsetStep = axis->dilation,
  };
}

/// Returns the inputs whose place is a residue modulo the stride: the same elements of the kernel reach them.
static Axis gradient_axis(const cproducts_axis *axis, ptrdiff_t residue) {
  Axis result = {
      .positions = (axis->input - residue + axis->stride - 1) / axis->stride,
      .place = residue,
      .step = axis->stride,
      .stride = 1,
  };
  ptrdiff_t distance = 0;
  // Output o reaches input i by element k if o·stride + k·dilation - before = i: the last k comes first.
  for (ptrdiff_t k = axis->kernel - 1; k >= 0; k--) {
    const ptrdiff_t reach = residue + axis->before - k * axis->dilation;
    if (reach % axis->stride != 0) continue;
    if (result.taps == 0) {
      result.kernel = k;
      result.offset = reach / axis->stride;
    } else if (result.taps == 1) {
      distance = result.kernel - k;
    }
    result.taps++;
  }
  result.kernelStep = -distance;
  result.offsetStep = distance * axis->dilation / axis->stride;
  return result;
}

/// Returns the first tap of a result that lies within an extent of the source; the count goes to `count`.
INLINE ptrdiff_t taps_within(const Axis *axis, ptrdiff_t position, ptrdiff_t extent,
                             ptrdiff_t *count) {
  const ptrdiff_t start = position * axis->stride + axis->offset;
  ptrdiff_t low = 0, high = axis->taps;
  while (low < high && start + low * axis->offsetStep < 0) low++;
  while (high > low && start + (high - 1) * axis->offsetStep >= extent) high--;
  *count = high - low;
  return low;
}

/// Returns the positions with all taps within an extent of the source; if there are none, an empty range.
static void inner_positions(const Axis *axis, ptrdiff_t extent, ptrdiff_t *start, ptrdiff_t *end) {
  const ptrdiff_t reach = axis->offset + (axis->taps - 1) * axis->offsetStep;
  *start = 0;
  *end = axis->positions;
  while (*start < *end && *start * axis->stride + axis->offset < 0) ++*start;
  while (*end > *start && (*end - 1) * axis->stride + reach >= extent) --*end;
}

/// Returns the same with the pixels of an image in one row if the window is one element without padding.
static cproducts_convolution flattened(const cproducts_convolution *c) {
  cproducts_convolution result = *c;
  const cproducts_axis *axes[2] = {&c->rows, &c->columns};
  for (int i = 0; i < 2; i++)
    if (axes[i]->kernel != 1 || axes[i]->stride != 1 || axes[i]->before != 0 ||
        axes[i]->input != axes[i]->output)
      return result;
  result.rows.input = result.rows.output = 1;
  result.columns.input = result.columns.output = c->rows.input * c->columns.input;
  return result;
}

/// The quantities that all families of a pass share.
typedef struct {
  ptrdiff_t batch, groups;
  /// The channels of a group, and the terms that a tap adds; lanewise, each channel has a weight of its own.
  ptrdiff_t from, to;
  bool lanewise;
  /// The extents of the source and of the result.
  ptrdiff_t height, width, resultHeight, resultWidth;
  /// The distances of weights of neighbouring channels, and of rows of the kernel; the kernel's elements.
  ptrdiff_t weightFrom, weightTo, weightRow, kernel;
  ptrdiff_t sourcePixel, resultPixel;
} Pass;

/// A family of results, and the panels that hold its weights.
typedef struct {
  Axis rows, columns;
  ptrdiff_t vectors, width;
  bool acrossImages;
  /// The channels of all taps, of which each takes a row of a panel.
  ptrdiff_t terms;
  /// The columns of results with all taps inside the source.
  ptrdiff_t inner, innerEnd;
} Family;

INLINE ptrdiff_t whole_vectors(ptrdiff_t lanes) { return (lanes + LANES - 1) / LANES; }

/// Indicates that each group has one channel, before and after.
INLINE bool is_lanewise(const cproducts_convolution *c) {
  return c->groups > 1 && c->inputs == 1 && c->outputs == 1;
}

static Pass forward_pass(const cproducts_convolution *c) {
  const bool lanewise = is_lanewise(c);
  const ptrdiff_t kernel = c->rows.kernel * c->columns.kernel;
  return (Pass){
      .batch = c->batch,
      .groups = lanewise ? 1 : c->groups,
      .from = c->inputs,
      .to = lanewise ? c->groups : c->outputs,
      .lanewise = lanewise,
      .height = c->rows.input,
      .width = c->columns.input,
      .resultHeight = c->rows.output,
      .resultWidth = c->columns.output,
      .weightFrom = kernel,
      .weightTo = c->inputs * kernel,
      .weightRow = c->columns.kernel,
      .kernel = kernel,
      .sourcePixel = c->groups * c->inputs,
      .resultPixel = c->groups * c->outputs,
  };
}

/// Describes the pass from y to x: forward, with the tensors exchanged.
static Pass gradient_pass(const cproducts_convolution *c) {
  const Pass forward = forward_pass(c);
  Pass pass = forward;
  pass.from = c->outputs;
  pass.to = forward.lanewise ? c->groups : c->inputs;
  pass.height = forward.resultHeight;
  pass.width = forward.resultWidth;
  pass.resultHeight = forward.height;
  pass.resultWidth = forward.width;
  pass.weightFrom = forward.weightTo;
  pass.weightTo = forward.weightFrom;
  pass.sourcePixel = forward.resultPixel;
  pass.resultPixel = forward.sourcePixel;
  return pass;
}

/// Returns the columns of zeros to put before and after each row of the source for a family.
static void margins(const Pass *pass, const Axis *columns, ptrdiff_t *left, ptrdiff_t *right) {
  if (pass->lanewise || columns->taps == 0 || columns->positions == 0) return;
  const ptrdiff_t last = (columns->positions - 1) * columns->stride + columns->offset +
                         (columns->taps - 1) * columns->offsetStep;
  if (-columns->offset > *left) *left = -columns->offset;
  if (last - (pass->width - 1) > *right) *right = last - (pass->width - 1);
}

/// The bytes of images that tiles across images may read at once: about what the second cache holds.
enum { imageBytes = 9 << 17 };

/// Chooses the panels of a family, and whether tiles go along columns or across images.
///
/// Across images, taps in the padding of columns cost nothing; but several images are read at once.
static Family family_of(const Pass *pass, Axis rows, Axis columns) {
  Family family = {.rows = rows, .columns = columns, .vectors = whole_vectors(pass->to)};
  family.terms = rows.taps * columns.taps * pass->from;
  inner_positions(&columns, pass->width, &family.inner, &family.innerEnd);
  double along, across;
  const ptrdiff_t width = panel_width(columns.positions, family.vectors, family.terms, &along);
  ptrdiff_t valid = 0;
  for (ptrdiff_t u = 0; u < columns.positions; u++) {
    ptrdiff_t count;
    taps_within(&columns, u, pass->width, &count);
    valid += count;
  }
  const double terms = columns.positions
      ? (double)valid / columns.positions * rows.taps * pass->from : 0;
  const ptrdiff_t other = panel_width(pass->batch, family.vectors, terms, &across);
  const ptrdiff_t image = pass->height * pass->width * pass->sourcePixel * sizeof(float);
  const ptrdiff_t most = most_positions(other), together = pass->batch < most ? pass->batch : most;
  family.acrossImages = !pass->lanewise && across * columns.positions < along * pass->batch &&
                        image * together <= imageBytes && (image % 4096 != 0 || together <= 6);
  family.width = family.acrossImages ? other : width;
  return family;
}

/// Copies the weights of a family into panels: [group][panel][tap][channel of the source][lane].
static float *pack_weights(const Pass *pass, const Family *family, const float *w, float *packed) {
  const Axis *rows = &family->rows, *columns = &family->columns;
  const ptrdiff_t weightTo = pass->weightTo;
  for (ptrdiff_t g = 0; g < pass->groups; g++)
    for (ptrdiff_t v = 0; v < family->vectors; v += family->width) {
      const ptrdiff_t left = family->vectors - v;
      const ptrdiff_t width = (left < family->width ? left : family->width) * LANES;
      const ptrdiff_t lanes = pass->to - v * LANES < width ? pass->to - v * LANES : width;
      const float *panel = w + g * pass->from * pass->to * pass->kernel + v * LANES * weightTo;
      for (ptrdiff_t i = 0; i < rows->taps; i++)
        for (ptrdiff_t j = 0; j < columns->taps; j++) {
          const float *tap = panel + (rows->kernel + i * rows->kernelStep) * pass->weightRow +
                             columns->kernel + j * columns->kernelStep;
          for (ptrdiff_t k = 0; k < pass->from; k++, packed += width) {
            const float *from = tap + k * pass->weightFrom;
            ptrdiff_t lane = 0;
            for (; lane < lanes; lane++) packed[lane] = from[lane * weightTo];
            for (; lane < width; lane++) packed[lane] = 0;
          }
        }
    }
  return packed;
}
