// Kernels over the rows of `[rows, columns]`; rows do not depend on one another.

/// The elements of a leaf of a sum: 32 vectors.
enum { leaf_length = 32 * lane_count };

/// Sixteen terms of a sum from an element on, of which only the first `count` exist.
///
/// The terms are the elements themselves, or their exponentials after a shift.
INLINE Lanes terms(const float *a, ptrdiff_t count, bool are_powers, Lanes shift) {
  const float filler = are_powers ? -INFINITY : 0;
  const Lanes x = count >= lane_count ? load(a) : load_first(a, count, filler);
  return are_powers ? exponential(x - shift) : x;
}

INLINE Lanes leaf_sum(const float *a, ptrdiff_t count, bool are_powers, Lanes shift) {
  Lanes sum = 0;
  ptrdiff_t i = 0;
  for (; i + lane_count <= count; i += lane_count) {
    sum = sum + terms(a + i, lane_count, are_powers, shift);
  }
  if (i < count) sum = sum + terms(a + i, count - i, are_powers, shift);
  return sum;
}

/// Splits where a tree of neighbours does: after the largest power of two of leaves below their number.
static void tree_sum(const float *a, ptrdiff_t count, bool are_powers, float shift, float *sum) {
  if (count <= leaf_length) {
    store(are_powers ? leaf_sum(a, count, true, shift) : leaf_sum(a, count, false, 0), sum);
    return;
  }
  const unsigned long long leaves = (count + leaf_length - 1) / leaf_length;
  const ptrdiff_t left = ((ptrdiff_t)1 << (63 - __builtin_clzll(leaves - 1))) * leaf_length;
  float right[lane_count];
  tree_sum(a, left, are_powers, shift, sum);
  tree_sum(a + left, count - left, are_powers, shift, right);
  store(load(sum) + load(right), sum);
}

/// The sum of all terms in the order of `orderedSum` in `Kernels`.
INLINE float ordered_sum(const float *a, ptrdiff_t count, bool are_powers, float shift) {
  if (count <= leaf_length) return lane_sum(leaf_sum(a, count, are_powers, shift));
  float sum[lane_count];
  tree_sum(a, count, are_powers, shift, sum);
  return lane_sum(load(sum));
}

INLINE float logarithm_of(float x) { return logarithm(x)[0]; }

/// The largest of a row; NaN is passed over.
INLINE float largest_of(const float *row, ptrdiff_t columns) {
  if (columns < lane_count) return largest_lane(load_first(row, columns, -INFINITY));
  Lanes result = load(row + columns - lane_count);
  for (ptrdiff_t i = 0; i + lane_count <= columns; i += lane_count) {
    result = larger(load(row + i), result);
  }
  return largest_lane(result);
}

/// The exponentials of up to sixteen narrow rows, column by column, one row per lane.
///
/// One row at a time such a row costs a whole vector for every function and several trips between lanes: four
/// times as long for ten classes. A lane holds one row, so rows do not depend on their neighbours.
typedef struct {
  /// `e^(x − largest)` of a column; lanes without a row are computed too, from zeros.
  Lanes powers[lane_count];
  /// The sum of each row's powers, columns in order, and the largest of each row.
  Lanes sum, largest;
} NarrowRows;

INLINE void read_narrow(NarrowRows *block, const float *a, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t j = 0; j < columns; j++) {
    for (ptrdiff_t i = 0; i < rows; i++) {
      ((float *)block->powers)[j * lane_count + i] = a[i * columns + j];
    }
  }
  Lanes largest = block->powers[0];
  for (ptrdiff_t j = 1; j < columns; j++) largest = larger(block->powers[j], largest);
  Lanes sum = 0;
  for (ptrdiff_t j = 0; j < columns; j++) {
    block->powers[j] = exponential(block->powers[j] - largest);
    sum = sum + block->powers[j];
  }
  block->sum = sum;
  block->largest = largest;
}

/// Writes what is in place of the powers back as rows of `c`.
INLINE void write_narrow(const NarrowRows *block, float *c, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows; i++) {
    for (ptrdiff_t j = 0; j < columns; j++) {
      c[i * columns + j] = ((const float *)block->powers)[j * lane_count + i];
    }
  }
}

/// The cross-entropies of narrow rows, one per lane.
INLINE Lanes narrow_losses(const NarrowRows *block, const float *logits, const int32_t *labels,
                           ptrdiff_t rows, ptrdiff_t classes) {
  Lanes chosen = 0;
  for (ptrdiff_t i = 0; i < rows; i++) ((float *)&chosen)[i] = logits[i * classes + labels[i]];
  return logarithm(block->sum) - (chosen - block->largest);
}

INLINE ptrdiff_t at_most_lanes(ptrdiff_t rows) { return rows < lane_count ? rows : lane_count; }

/// Writes the softmax of one row; returns the largest of it and the sum that it is divided by.
INLINE void softmax_row(const float *row, ptrdiff_t columns, float *c, float *largest, float *sum) {
  *largest = largest_of(row, columns);
  each(shifted_power_lanes, *largest, row, same_place, row, same_place, c, columns);
  *sum = ordered_sum(c, columns, false, 0);
  each(divide_lanes, 0, c, same_place, sum, first_place, c, columns);
}

static void softmax(const float *a, ptrdiff_t rows, ptrdiff_t columns, float *c) {
  if (columns > lane_count) {
    for (ptrdiff_t i = 0; i < rows; i++) {
      float largest, sum;
      softmax_row(a + i * columns, columns, c + i * columns, &largest, &sum);
    }
    return;
  }
  NarrowRows block = {0};
  for (ptrdiff_t first = 0; first < rows; first += lane_count) {
    const ptrdiff_t count = at_most_lanes(rows - first);
    read_narrow(&block, a + first * columns, count, columns);
    for (ptrdiff_t j = 0; j < columns; j++) block.powers[j] = block.powers[j] / block.sum;
    write_narrow(&block, c + first * columns, count, columns);
  }
}

static void log_softmax(const float *a, ptrdiff_t rows, ptrdiff_t columns, float *c) {
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *row = a + i * columns;
    const float largest = largest_of(row, columns);
    const float logarithm = logarithm_of(ordered_sum(row, columns, true, largest));
    float *out = c + i * columns;
    each(subtract_lanes, 0, row, same_place, &largest, first_place, out, columns);
    each(subtract_lanes, 0, out, same_place, &logarithm, first_place, out, columns);
  }
}

static void log_sum_exp(const float *a, ptrdiff_t rows, ptrdiff_t columns, float *c) {
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *row = a + i * columns;
    const float largest = largest_of(row, columns);
    const float sum = ordered_sum(row, columns, true, largest);
    // Rows whose largest is infinite have that as their result, not the NaN of ∞ − ∞.
    c[i] = isinf(largest) ? largest : largest + logarithm_of(sum);
  }
}

static void cross_entropy(const float *logits, const int32_t *labels, ptrdiff_t rows,
                          ptrdiff_t classes, float *c) {
  if (classes > lane_count) {
    for (ptrdiff_t i = 0; i < rows; i++) {
      const float *row = logits + i * classes;
      const float largest = largest_of(row, classes);
      const float sum = ordered_sum(row, classes, true, largest);
      c[i] = logarithm_of(sum) - (row[labels[i]] - largest);
    }
    return;
  }
  NarrowRows block = {0};
  for (ptrdiff_t first = 0; first < rows; first += lane_count) {
    const ptrdiff_t count = at_most_lanes(rows - first);
    const float *some = logits + first * classes;
    read_narrow(&block, some, count, classes);
    store_first(narrow_losses(&block, some, labels + first, count, classes), c + first, count);
  }
}

/// Writes the cotangents, and the losses where they are asked for, of narrow rows.
INLINE void narrow_gradient(NarrowRows *block, const float *cotangent, const float *logits,
                            const int32_t *labels, ptrdiff_t rows, ptrdiff_t classes,
                            float *losses, float *c) {
  read_narrow(block, logits, rows, classes);
  if (losses) store_first(narrow_losses(block, logits, labels, rows, classes), losses, rows);
  for (ptrdiff_t j = 0; j < classes; j++) block->powers[j] = block->powers[j] / block->sum;
  for (ptrdiff_t i = 0; i < rows; i++) ((float *)&block->powers[labels[i]])[i] -= 1;
  const Lanes factor = load_first(cotangent, rows, 0);
  for (ptrdiff_t j = 0; j < classes; j++) block->powers[j] = block->powers[j] * factor;
  write_narrow(block, c, rows, classes);
}

static void cross_entropy_gradient(const float *cotangent, const float *logits,
                                   const int32_t *labels, ptrdiff_t rows, ptrdiff_t classes,
                                   float *losses, float *c) {
  if (classes <= lane_count) {
    NarrowRows block = {0};
    for (ptrdiff_t first = 0; first < rows; first += lane_count) {
      narrow_gradient(&block, cotangent + first, logits + first * classes, labels + first,
                      at_most_lanes(rows - first), classes, losses ? losses + first : NULL,
                      c + first * classes);
    }
    return;
  }
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *row = logits + i * classes;
    float *out = c + i * classes;
    // Read before the row may be written over.
    const float chosen = row[labels[i]];
    float largest, sum;
    softmax_row(row, classes, out, &largest, &sum);
    if (losses) losses[i] = logarithm_of(sum) - (chosen - largest);
    out[labels[i]] -= 1;
    each(multiply_lanes, 0, out, same_place, cotangent + i, first_place, out, classes);
  }
}
