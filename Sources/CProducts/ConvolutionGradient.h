// Convolutions to the weights: sums over the pixels of microbatches, folded in the order of a tree.

#pragma once

#include "ConvolutionFamilies.h"
#include "ConvolutionPixels.h"

/// The plan of a weight gradient: blocks of sums that stay in the cache over all microbatches.
typedef struct {
  cproducts_convolution c;
  bool lanewise;
  /// Images are copied with their padding, and each row of the kernel is one segment.
  bool isCopied;
  ptrdiff_t groups, to, vectors, width;
  /// Elements of x that lie together, and how many such segments a row of the kernel has.
  ptrdiff_t segment, segments;
  /// The rows of the kernel that a tile takes at once, and those of a block.
  ptrdiff_t together, blockRows;
  ptrdiff_t xPixel, yPixel;
  /// Bands of pixels: some images, or some rows of one.
  ptrdiff_t bandImages, bandRows;
  ptrdiff_t copyColumns, copyRows;
  /// The floats of a block, and the sums of it at once: those that wait, and that of a microbatch.
  ptrdiff_t blockFloats, depth;
} GradientPlan;

static GradientPlan gradient_plan(const cproducts_convolution *shape,
                                  const cproducts_leaves *leaves) {
  GradientPlan plan = {.c = flattened(shape)};
  const cproducts_convolution *c = &plan.c;
  plan.lanewise = is_lanewise(c);
  plan.isCopied =
      c->groups == 1 && c->inputs < 8 && c->columns.kernel > 1 && c->columns.dilation == 1;
  plan.groups = plan.lanewise ? 1 : c->groups;
  plan.to = plan.lanewise ? c->groups : c->outputs;
  plan.vectors = whole_vectors(plan.to);
  plan.segments = plan.isCopied || plan.lanewise ? 1 : c->columns.kernel;
  plan.segment = plan.lanewise ? c->columns.kernel
                 : plan.isCopied ? c->columns.kernel * c->inputs : c->inputs;
  plan.xPixel = c->groups * c->inputs;
  plan.yPixel = c->groups * c->outputs;
  double cost;
  plan.width = panel_width(plan.segment, plan.vectors, 256, &cost);
  if (plan.width > 2) plan.width = 2;
  plan.together = 1;
  if (plan.lanewise || (plan.isCopied && plan.segment * plan.width < 8))
    for (ptrdiff_t g = 2; g <= 3 && g <= c->rows.kernel; g++)
      if (is_group(g, plan.segment, plan.width)) plan.together = g;
  const ptrdiff_t image = c->rows.output * c->columns.output;
  plan.bandImages = image <= 256 ? 512 / image : 1;
  plan.bandRows = image <= 512 ? c->rows.output : 256 / c->columns.output;
  if (plan.bandRows == 0) plan.bandRows = 1;
  plan.copyRows =
      (plan.bandRows - 1) * c->rows.stride + (c->rows.kernel - 1) * c->rows.dilation + 1;
  plan.copyColumns = (c->columns.output - 1) * c->columns.stride +
                     (c->columns.kernel - 1) * c->columns.dilation + 1;
  plan.depth = leaves->count == 1 ? 1 : leaves->depth + 1;
  const ptrdiff_t row = plan.segments * plan.segment * plan.width * LANES;
  plan.blockRows = c->rows.kernel;
  if (plan.isCopied || plan.lanewise) {
    plan.blockFloats = c->rows.kernel * plan.segment * plan.vectors * LANES;
  } else {
    if (row * c->rows.kernel > (1 << 16)) plan.blockRows = 1;
    plan.blockFloats = row * plan.blockRows;
  }
  return plan;
}

/// A part of a gradient: panels and rows of the kernel.
typedef struct {
  ptrdiff_t group, vector, vectorEnd, row, rowEnd;
} Block;

/// Pixels of a microbatch.
typedef struct {
  ptrdiff_t image, images, row, rows;
  bool isFirst;
} Band;

/// Copies what a band reads of x, with the padding.
static void copy_band(const GradientPlan *plan, const Band *band, const float *x, float *copy) {
  const cproducts_convolution *c = &plan->c;
  const ptrdiff_t pixel = plan->xPixel, before = c->columns.before;
  const ptrdiff_t rows =
      (band->rows - 1) * c->rows.stride + (c->rows.kernel - 1) * c->rows.dilation + 1;
  const ptrdiff_t room = plan->copyColumns - before;
  const ptrdiff_t inside = room < 0 ? 0 : room < c->columns.input ? room : c->columns.input;
  const ptrdiff_t left = before < plan->copyColumns ? before : plan->copyColumns;
  for (ptrdiff_t n = band->image; n < band->image + band->images; n++)
    for (ptrdiff_t i = 0; i < rows; i++) {
      const ptrdiff_t row = band->row * c->rows.stride - c->rows.before + i;
      float *to = copy + ((n - band->image) * plan->copyRows + i) * plan->copyColumns * pixel;
      if (row < 0 || row >= c->rows.input) {
        memset(to, 0, plan->copyColumns * pixel * sizeof(float));
        continue;
      }
      memset(to, 0, left * pixel * sizeof(float));
      memcpy(to + left * pixel, x + (n * c->rows.input + row) * c->columns.input * pixel,
             inside * pixel * sizeof(float));
      memset(to + (left + inside) * pixel, 0,
             (plan->copyColumns - left - inside) * pixel * sizeof(float));
    }
}

/// Sums a segment, or the same of some rows of the kernel, by tiles of about one size.
static float *sum_segment(const GradientPlan *plan, ptrdiff_t groups, ptrdiff_t vectors,
                          Pixels pixels) {
  const ptrdiff_t most = groups > 1 ? plan->segment : most_positions(vectors);
  ptrdiff_t left = plan->segment;
  for (ptrdiff_t tiles = (left + most - 1) / most; tiles > 0; tiles--) {
    const ptrdiff_t count = (left + tiles - 1) / tiles;
    (pixels.last == LANES ? sum_by_element : sum_some_by_element)(groups, count, vectors, &pixels);
    pixels.x += count;
    pixels.sums += groups * count * vectors * LANES;
    left -= count;
  }
  return pixels.sums;
}

/// Adds the pixels of a band to the sums of one panel of a block; returns the end of the sums.
static float *sum_panel(const GradientPlan *plan, const Block *block, ptrdiff_t vector,
                        const Band *band, const float *x, const float *copy, const float *y,
                        float *sums) {
  const cproducts_convolution *c = &plan->c;
  const ptrdiff_t left = plan->vectors - vector;
  const ptrdiff_t vectors = left < plan->width ? left : plan->width;
  Pixels pixels = {0};
  pixels.images = band->images;
  pixels.yImage = c->rows.output * c->columns.output * plan->yPixel;
  pixels.yRow = c->columns.output * plan->yPixel;
  pixels.yColumn = plan->yPixel;
  pixels.xColumn = c->columns.stride * plan->xPixel;
  const ptrdiff_t rest = plan->to - vector * LANES - (vectors - 1) * LANES;
  pixels.last = rest < LANES ? rest : LANES;
  pixels.goesOn = !band->isFirst;
  const float *yBand = y + band->image * pixels.yImage + block->group * plan->to + vector * LANES;
  const ptrdiff_t xWidth = (plan->isCopied ? plan->copyColumns : c->columns.input) * plan->xPixel;
  pixels.xRow = c->rows.stride * xWidth;
  pixels.xImage = (plan->isCopied ? plan->copyRows : c->rows.input) * xWidth;
  pixels.xGroup = c->rows.dilation * xWidth;
  const Axis rows = forward_axis(&c->rows), columns = forward_axis(&c->columns);
  for (ptrdiff_t i = block->row; i < block->rowEnd;) {
    const ptrdiff_t groups =
        block->rowEnd - i < plan->together ? block->rowEnd - i : plan->together;
    if (plan->isCopied) {
      pixels.rows = band->rows;
      pixels.columns = c->columns.output;
      pixels.x = copy + i * pixels.xGroup;
      pixels.y = yBand + band->row * pixels.yRow;
      pixels.sums = sums;
      sums = sum_segment(plan, groups, vectors, pixels);
      i += groups;
      continue;
    }
    ptrdiff_t low = band->row, high = band->row + band->rows;
    const ptrdiff_t down = i * rows.offsetStep + rows.offset;
    while (low < high && low * rows.stride + down < 0) low++;
    while (high > low && (high - 1) * rows.stride + down >= c->rows.input) high--;
    for (ptrdiff_t j = 0; j < plan->segments; j++) {
      ptrdiff_t start = 0, end = c->columns.output;
      const ptrdiff_t along = j * columns.offsetStep + columns.offset;
      while (start < end && start * columns.stride + along < 0) start++;
      while (end > start && (end - 1) * columns.stride + along >= c->columns.input) end--;
      pixels.rows = start < end ? high - low : 0;
      pixels.columns = end - start;
      pixels.x = x + band->image * pixels.xImage + (low * rows.stride + down) * xWidth +
                 (start * columns.stride + along) * plan->xPixel + block->group * c->inputs;
      pixels.y = yBand + low * pixels.yRow + start * plan->yPixel;
      pixels.sums = sums;
      sums = sum_segment(plan, 1, vectors, pixels);
    }
    i++;
  }
  return sums;
}

/// Adds the pixels of a band to the sums of one panel of a lanewise gradient; returns the end of the sums.
static float *sum_lane_panel(const GradientPlan *plan, ptrdiff_t vector, const Band *band,
                             const float *x, const float *y, float *sums) {
  const cproducts_convolution *c = &plan->c;
  const ptrdiff_t left = plan->vectors - vector;
  const ptrdiff_t vectors = left < plan->width ? left : plan->width;
  const ptrdiff_t rest = plan->to - (vector + vectors - 1) * LANES;
  LanePixels pixels = {.c = c};
  pixels.x = x + band->image * c->rows.input * c->columns.input * plan->xPixel + vector * LANES;
  pixels.y = y + band->image * c->rows.output * c->columns.output * plan->yPixel + vector * LANES;
  pixels.images = band->images;
  pixels.channels = plan->xPixel;
  pixels.row = band->row;
  pixels.rowEnd = band->row + band->rows;
  pixels.last = rest < LANES ? rest : LANES;
  pixels.goesOn = !band->isFirst;
  const Axis columns = forward_axis(&c->columns);
  inner_positions(&columns, c->columns.input, &pixels.inner, &pixels.innerEnd);
  for (pixels.kernelRow = 0; pixels.kernelRow < c->rows.kernel;) {
    ptrdiff_t groups = c->rows.kernel - pixels.kernelRow;
    if (groups > plan->together) groups = plan->together;
    for (pixels.kernelColumn = 0; pixels.kernelColumn < plan->segment;) {
      ptrdiff_t count = plan->segment - pixels.kernelColumn;
      if (count > FEW) count = FEW;
      pixels.sums = sums;
      (pixels.last == LANES ? sum_pixel_lanes : sum_some_pixel_lanes)(groups, count, vectors,
                                                                      &pixels);
      sums += groups * count * vectors * LANES;
      pixels.kernelColumn += count;
    }
    pixels.kernelRow += groups;
  }
  return sums;
}

/// Computes the sums of a block over one microbatch.
static void sum_microbatch(const GradientPlan *plan, const Block *block, ptrdiff_t image,
                     ptrdiff_t images, const float *x, const float *y, float *sums, float *copy) {
  Band band = {image, 0, 0, 0, true};
  while (band.image < image + images) {
    band.images = image + images - band.image;
    if (band.images > plan->bandImages) band.images = plan->bandImages;
    for (band.row = 0; band.row < plan->c.rows.output; band.row += plan->bandRows) {
      band.rows = plan->c.rows.output - band.row;
      if (band.rows > plan->bandRows) band.rows = plan->bandRows;
      if (plan->isCopied) copy_band(plan, &band, x, copy);
      float *at = sums;
      for (ptrdiff_t v = block->vector; v < block->vectorEnd; v += plan->width)
        at = plan->lanewise ? sum_lane_panel(plan, v, &band, x, y, at)
                            : sum_panel(plan, block, v, &band, x, copy, y, at);
      band.isFirst = false;
    }
    band.image += band.images;
  }
}

/// Adds the last sums of a stack, left + right, as often as told, into the first of them.
static void add_last(float *last, ptrdiff_t floats, ptrdiff_t additions) {
  float *into = last - additions * floats;
  if (additions == 0) return;
  for (ptrdiff_t i = 0; i < floats; i += LANES) {
    Vector sum = load(last + i);
    for (ptrdiff_t a = 1; a <= additions; a++) sum = load(last - a * floats + i) + sum;
    store(into + i, sum);
  }
}

/// Copies the sums of a block to their places in the gradient.
static void store_block(const GradientPlan *plan, const Block *block, const float *sums, float *w) {
  const cproducts_convolution *c = &plan->c;
  const ptrdiff_t kernel = c->rows.kernel * c->columns.kernel, output = c->inputs * kernel;
  const ptrdiff_t perColumn = plan->lanewise ? 1 : c->inputs;
  for (ptrdiff_t v = block->vector; v < block->vectorEnd; v += plan->width) {
    const ptrdiff_t left = plan->vectors - v;
    const ptrdiff_t width = (left < plan->width ? left : plan->width) * LANES;
    const ptrdiff_t lanes = plan->to - v * LANES < width ? plan->to - v * LANES : width;
    float *panel = w + (block->group * plan->to + v * LANES) * output;
    for (ptrdiff_t i = block->row; i < block->rowEnd; i++)
      for (ptrdiff_t j = 0; j < c->columns.kernel; j++)
        for (ptrdiff_t k = 0; k < perColumn; k++, sums += width) {
          float *at = panel + k * kernel + i * c->columns.kernel + j;
          for (ptrdiff_t lane = 0; lane < lanes; lane++) at[lane * output] = sums[lane];
        }
  }
}

/// Computes a block over all microbatches.
static void sum_block(const GradientPlan *plan, const Block *block, const cproducts_leaves *leaves,
                      const float *x, const float *y, float *w, float *scratch) {
  float *copy = scratch + plan->depth * plan->blockFloats, *top = scratch;
  ptrdiff_t image = 0;
  for (ptrdiff_t j = 0; j < leaves->count; j++) {
    const cproducts_leaf leaf = leaves->first[j];
    sum_microbatch(plan, block, image, leaf.rows, x, y, top, copy);
    image += leaf.rows;
    add_last(top, plan->blockFloats, leaf.additions);
    top += (1 - leaf.additions) * plan->blockFloats;
  }
  store_block(plan, block, scratch, w);
}

ptrdiff_t NAME(weight_gradient_scratch)(const cproducts_convolution *shape,
                                        const cproducts_leaves *leaves) {
  const GradientPlan plan = gradient_plan(shape, leaves);
  return plan.depth * plan.blockFloats +
         (plan.isCopied ? plan.bandImages * plan.copyRows * plan.copyColumns * plan.xPixel : 0);
}

void NAME(weight_gradient)(const cproducts_convolution *shape, const cproducts_leaves *leaves,
                           const float *x, const float *y, float *w, float *scratch) {
  const GradientPlan plan = gradient_plan(shape, leaves);
  if (plan.isCopied || plan.lanewise) {
    const Block all = {0, 0, plan.vectors, 0, plan.c.rows.kernel};
    sum_block(&plan, &all, leaves, x, y, w, scratch);
    return;
  }
  for (ptrdiff_t g = 0; g < plan.groups; g++)
    for (ptrdiff_t v = 0; v < plan.vectors; v += plan.width)
      for (ptrdiff_t i = 0; i < plan.c.rows.kernel; i += plan.blockRows) {
        const ptrdiff_t end = v + plan.width < plan.vectors ? v + plan.width : plan.vectors;
        const Block block = {g, v, end, i, i + plan.blockRows};
        sum_block(&plan, &block, leaves, x, y, w, scratch);
      }
}
