// Convolutions forward and to the inputs: sums over taps of a source, a family of results at a time.

#pragma once

#include "ConvolutionFamilies.h"

/// Copies an image with columns of zeros on both sides.
static void pad_image(const Pass *pass, const float *image, ptrdiff_t left, ptrdiff_t right,
                      float *padded) {
  const ptrdiff_t row = pass->width * pass->sourcePixel;
  for (ptrdiff_t r = 0; r < pass->height; r++) {
    memset(padded, 0, left * pass->sourcePixel * sizeof(float));
    padded += left * pass->sourcePixel;
    memcpy(padded, image + r * row, row * sizeof(float));
    padded += row;
    memset(padded, 0, right * pass->sourcePixel * sizeof(float));
    padded += right * pass->sourcePixel;
  }
}

/// Computes a line of results, by tiles of about one size.
INLINE void sum_line(const Pass *pass, ptrdiff_t positions, ptrdiff_t vectors, Taps taps) {
  const ptrdiff_t most = most_positions(vectors), tiles = (positions + most - 1) / most;
  for (ptrdiff_t left = tiles; left > 0; left -= taps.tiles) {
    const ptrdiff_t count = (positions + left - 1) / left;
    taps.tiles = positions % left == 0 ? left : positions % left;
    if (!pass->lanewise)
      sum_channels(count, vectors, &taps);
    else if (taps.last == LANES)
      sum_lanes(count, vectors, &taps);
    else
      sum_some_lanes(count, vectors, &taps);
    taps.source += taps.tiles * count * taps.position;
    taps.result += taps.tiles * count * taps.resultPosition;
    positions -= taps.tiles * count;
  }
}

/// Computes a line of results lanewise; at its ends, only taps within the source are read.
static void sum_lane_line(const Pass *pass, const Family *family, ptrdiff_t vectors, Taps taps) {
  const Axis *columns = &family->columns;
  const Taps whole = taps;
  for (ptrdiff_t u = 0, count; u < columns->positions; u += count) {
    const bool isInner = u >= family->inner && u < family->innerEnd;
    count = isInner ? family->innerEnd - u : 1;
    const ptrdiff_t low = taps_within(columns, u, pass->width, &taps.columns);
    const ptrdiff_t column = u * columns->stride + columns->offset + low * columns->offsetStep;
    taps.source = whole.source + column * pass->sourcePixel;
    taps.weights = whole.weights + low * whole.weightColumnStep;
    taps.result = whole.result + u * whole.resultPosition;
    sum_line(pass, count, vectors, taps);
  }
}

/// The place of a panel of a family, and its part of the result.
typedef struct {
  const float *weights;
  ptrdiff_t vectors, lane, sourceChannel;
} Panel;

/// Returns the taps of a panel that are the same for all lines.
static Taps panel_taps(const Pass *pass, const Family *family, const Panel *panel,
                       ptrdiff_t sourceRow, const float *bias) {
  Taps taps = {0};
  const ptrdiff_t width = panel->vectors * LANES;
  taps.rowStep = family->rows.offsetStep * sourceRow;
  taps.weightRowStep = family->columns.taps * pass->from * width;
  taps.columns = family->columns.taps;
  taps.columnStep = family->columns.offsetStep * pass->sourcePixel;
  taps.weightColumnStep = pass->from * width;
  taps.length = pass->from;
  const ptrdiff_t left = pass->to - panel->lane % pass->to;
  taps.last = left < width ? left - (panel->vectors - 1) * LANES : LANES;
  taps.bias = bias ? bias + panel->lane : NULL;
  return taps;
}

/// Computes one panel of a family for one image; lines go along columns.
static void sum_image(const Pass *pass, const Family *family, const Panel *panel,
                      const float *image, ptrdiff_t margin, ptrdiff_t sourceRow,
                      const float *bias, float *result) {
  const Axis *rows = &family->rows, *columns = &family->columns;
  Taps taps = panel_taps(pass, family, panel, sourceRow, bias);
  taps.position = columns->stride * pass->sourcePixel;
  taps.resultPosition = columns->step * pass->resultPixel;
  if (!pass->lanewise && taps.columnStep == taps.length) {
    taps.length *= taps.columns;
    taps.columns = 1;
  }
  for (ptrdiff_t t = 0; t < rows->positions; t++) {
    const ptrdiff_t low = taps_within(rows, t, pass->height, &taps.rows);
    const ptrdiff_t row = t * rows->stride + rows->offset + low * rows->offsetStep;
    taps.source = image + row * sourceRow + panel->sourceChannel;
    taps.weights = panel->weights + low * taps.weightRowStep;
    taps.result = result + ((rows->place + t * rows->step) * pass->resultWidth + columns->place) *
                               pass->resultPixel + panel->lane;
    if (pass->lanewise) {
      sum_lane_line(pass, family, panel->vectors, taps);
      continue;
    }
    taps.source += (columns->offset + margin) * pass->sourcePixel;
    sum_line(pass, columns->positions, panel->vectors, taps);
  }
}

/// Computes one panel of a family for all images; lines go across images.
static void sum_images(const Pass *pass, const Family *family, const Panel *panel,
                       const float *source, const float *bias, float *result) {
  const Axis *rows = &family->rows, *columns = &family->columns;
  const ptrdiff_t sourceRow = pass->width * pass->sourcePixel;
  const Taps whole = panel_taps(pass, family, panel, sourceRow, bias);
  const bool isJoined = whole.columnStep == whole.length;
  const ptrdiff_t most = most_positions(panel->vectors);
  ptrdiff_t done = 0;
  for (ptrdiff_t tiles = (pass->batch + most - 1) / most; tiles > 0; tiles--) {
    const ptrdiff_t count = (pass->batch - done + tiles - 1) / tiles;
    const float *images = source + done * pass->height * sourceRow + panel->sourceChannel;
    for (ptrdiff_t t = 0; t < rows->positions; t++)
      for (ptrdiff_t u = 0; u < columns->positions; u++) {
        Taps taps = whole;
        taps.tiles = 1;
        const ptrdiff_t low = taps_within(rows, t, pass->height, &taps.rows);
        const ptrdiff_t start = taps_within(columns, u, pass->width, &taps.columns);
        const ptrdiff_t row = t * rows->stride + rows->offset + low * rows->offsetStep;
        const ptrdiff_t column =
            u * columns->stride + columns->offset + start * columns->offsetStep;
        const ptrdiff_t place = (rows->place + t * rows->step) * pass->resultWidth +
                                columns->place + u * columns->step;
        taps.source = images + row * sourceRow + column * pass->sourcePixel;
        taps.weights = panel->weights + low * taps.weightRowStep + start * taps.weightColumnStep;
        taps.position = pass->height * sourceRow;
        taps.resultPosition = pass->resultHeight * pass->resultWidth * pass->resultPixel;
        taps.result = result + done * taps.resultPosition + place * pass->resultPixel + panel->lane;
        if (isJoined) {
          taps.length *= taps.columns;
          taps.columns = 1;
        }
        sum_channels(count, panel->vectors, &taps);
      }
    done += count;
  }
}

/// Computes a family of results from its packed weights; `padded` takes an image with its margins.
static void sum_family(const Pass *pass, const Family *family, const float *packed,
                       const float *source, const float *bias, float *result, float *padded) {
  const ptrdiff_t imageCount = pass->height * pass->width * pass->sourcePixel;
  const ptrdiff_t resultCount = pass->resultHeight * pass->resultWidth * pass->resultPixel;
  ptrdiff_t left = 0, right = 0;
  if (!family->acrossImages) margins(pass, &family->columns, &left, &right);
  const ptrdiff_t sourceRow = (left + pass->width + right) * pass->sourcePixel;
  const ptrdiff_t perGroup = (family->vectors + family->width - 1) / family->width;
  // As many panels at once as fit the cache beside an image.
  const ptrdiff_t most = (1 << 17) / (family->terms * family->width * LANES + 1) + 1;
  for (ptrdiff_t start = 0; start < perGroup * pass->groups; start += most)
    for (ptrdiff_t n = 0; n < pass->batch; n++) {
      const float *image = source + n * imageCount;
      if (left || right) {
        pad_image(pass, image, left, right, padded);
        image = padded;
      }
      for (ptrdiff_t p = start; p < perGroup * pass->groups && p < start + most; p++) {
        const ptrdiff_t g = p / perGroup, v = p % perGroup * family->width;
        const ptrdiff_t rest = family->vectors - v;
        const Panel panel = {
            packed + (g * family->vectors + v) * family->terms * LANES,
            rest < family->width ? rest : family->width, g * pass->to + v * LANES,
            pass->lanewise ? v * LANES : g * pass->from};
        if (!family->acrossImages)
          sum_image(pass, family, &panel, image, left, sourceRow, bias, result + n * resultCount);
        else if (n == 0)
          sum_images(pass, family, &panel, source, bias, result);
      }
    }
}

/// Returns the floats of all weights in panels.
static ptrdiff_t weight_floats(const Pass *pass, const cproducts_convolution *c) {
  return pass->groups * c->rows.kernel * c->columns.kernel * pass->from *
         whole_vectors(pass->to) * LANES;
}

ptrdiff_t NAME(forward_scratch)(const cproducts_convolution *shape) {
  const cproducts_convolution c = flattened(shape);
  const Pass pass = forward_pass(&c);
  const Axis columns = forward_axis(&c.columns);
  ptrdiff_t left = 0, right = 0;
  margins(&pass, &columns, &left, &right);
  return weight_floats(&pass, &c) + pass.height * (left + pass.width + right) * pass.sourcePixel;
}

void NAME(forward)(const cproducts_convolution *shape, const float *x, const float *w,
                   const float *b, float *y, float *scratch) {
  const cproducts_convolution c = flattened(shape);
  const Pass pass = forward_pass(&c);
  const Family family = family_of(&pass, forward_axis(&c.rows), forward_axis(&c.columns));
  float *padded = pack_weights(&pass, &family, w, scratch);
  sum_family(&pass, &family, scratch, x, b, y, padded);
}

ptrdiff_t NAME(input_gradient_scratch)(const cproducts_convolution *shape) {
  const cproducts_convolution c = flattened(shape);
  const Pass pass = gradient_pass(&c);
  ptrdiff_t left = 0, right = 0;
  for (ptrdiff_t i = 0; i < c.columns.stride && i < c.columns.input; i++) {
    const Axis columns = gradient_axis(&c.columns, i);
    margins(&pass, &columns, &left, &right);
  }
  return weight_floats(&pass, &c) + pass.height * (left + pass.width + right) * pass.sourcePixel;
}

void NAME(input_gradient)(const cproducts_convolution *shape, const float *y, const float *w,
                          float *x, float *scratch) {
  const cproducts_convolution c = flattened(shape);
  const Pass pass = gradient_pass(&c);
  float *padded = scratch + weight_floats(&pass, &c);
  for (ptrdiff_t i = 0; i < c.rows.stride && i < c.rows.input; i++)
    for (ptrdiff_t j = 0; j < c.columns.stride && j < c.columns.input; j++) {
      const Family family =
          family_of(&pass, gradient_axis(&c.rows, i), gradient_axis(&c.columns, j));
      pack_weights(&pass, &family, w, scratch);
      sum_family(&pass, &family, scratch, y, NULL, x, padded);
    }
}
