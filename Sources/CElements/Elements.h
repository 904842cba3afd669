// Elementwise operations: the one place where kernels say what they compute, and the loops.

// Of one operand; `number` is the factor of a scale, the exponent of a power (one that is no whole number), or
// the limit of a cap.
#define OPERATIONS_OF_ONE(OPERATION)                                                   \
  OPERATION(scale, x * (float)number)                                                  \
  OPERATION(exp, exponential(x))                                                       \
  OPERATION(expm1, exponential_less_one(x))                                            \
  OPERATION(log, logarithm(x))                                                         \
  OPERATION(log1p, logarithm_of_one_more(x))                                           \
  OPERATION(softplus, softplus(x))                                                     \
  OPERATION(square, x * x)                                                             \
  OPERATION(sigmoid, sigmoid(x))                                                       \
  OPERATION(tanh, hyperbolic_tangent(x))                                               \
  OPERATION(relu, choose(0, x, 0, x))                                                  \
  OPERATION(sqrt, __builtin_elementwise_sqrt(x))                                       \
  OPERATION(abs, magnitude(x))                                                         \
  OPERATION(sign, choose(1, 0, x, choose(-1, x, 0, x)))                                \
  OPERATION(erf, error_function(x))                                                    \
  OPERATION(power, exponential(logarithm(x) * (float)number))                          \
  OPERATION(cap, choose((float)number, (float)number, x, x))

// Of two; gradients are of a cotangent and the output of the activation.
#define OPERATIONS_OF_TWO(OPERATION)                                                   \
  OPERATION(add, x + y)                                                                \
  OPERATION(subtract, x - y)                                                           \
  OPERATION(multiply, x * y)                                                           \
  OPERATION(divide, x / y)                                                             \
  OPERATION(maximum, choose(y, x, y, choose(x, y, x, x * 0.5f + y * 0.5f)))            \
  OPERATION(relu_gradient, choose(x, 0, y, 0))                                         \
  OPERATION(sigmoid_gradient, x * (y * (1 - y)))                                       \
  OPERATION(tanh_gradient, x * (1 - y * y))

INLINE bool is_whole(double number) {
  return number >= INT32_MIN && number <= INT32_MAX && number == (int32_t)number;
}

INLINE Lanes power_of(Lanes x, int32_t exponent) {
  Lanes result = 1, factor = x;
  for (uint32_t rest = exponent < 0 ? -(uint32_t)exponent : (uint32_t)exponent; rest; rest >>= 1) {
    if (rest & 1) result = result * factor;
    factor = factor * factor;
  }
  return exponent < 0 ? 1 / result : result;
}

typedef Lanes (*Function)(Lanes x, Lanes y, double number);

#define FUNCTION(name, expression) \
  INLINE Lanes name##_lanes(Lanes x, Lanes y, double number) { return expression; }
OPERATIONS_OF_ONE(FUNCTION)
OPERATIONS_OF_TWO(FUNCTION)
FUNCTION(whole_power, power_of(x, (int32_t)number))
FUNCTION(shifted_power, exponential(x - (float)number))
#undef FUNCTION

/// The elements of an operand that go with those of the result.
typedef enum { same_place, first_place } Place;

/// Applies a function to `count` elements; `c` may be an operand.
///
/// The last sixteen elements are read before anything is written and written last, so that the vector that
/// holds the rest may overlap the one before, also in place.
INLINE void each(Function function, double number, const float *a, Place a_place, const float *b,
                 Place b_place, float *c, ptrdiff_t count) {
  if (count < lane_count) {
    if (count <= 0) return;
    const Lanes x = a_place == first_place ? (Lanes)*a : load_first(a, count, 0);
    const Lanes y = b_place == first_place ? (Lanes)*b : load_first(b, count, 0);
    store_first(function(x, y, number), c, count);
    return;
  }
  const ptrdiff_t last = count - lane_count;
  const Lanes a_first = *a, b_first = *b;
  const Lanes x = a_place == first_place ? a_first : load(a + last);
  const Lanes y = b_place == first_place ? b_first : load(b + last);
  const Lanes rest = function(x, y, number);
  for (ptrdiff_t i = 0; i < last; i += lane_count) {
    store(function(a_place == first_place ? a_first : load(a + i),
                   b_place == first_place ? b_first : load(b + i), number),
          c + i);
  }
  store(rest, c + last);
}

/// Applies a function to the rows of a matrix.
INLINE void each_row(Function function, double number, const float *a, const float *b, float *c,
                     celements_matrix matrix) {
  for (ptrdiff_t row = 0; row < matrix.rows; row++) {
    if (matrix.a_is_column) {
      each(function, number, a, first_place, b, same_place, c, matrix.columns);
    } else if (matrix.b_is_column) {
      each(function, number, a, same_place, b, first_place, c, matrix.columns);
    } else {
      each(function, number, a, same_place, b, same_place, c, matrix.columns);
    }
    a += matrix.a_stride;
    b += matrix.b_stride;
    c += matrix.columns;
  }
}

static void apply(celements_code code, double number, const float *a, const float *b, float *c,
                  ptrdiff_t count) {
  if (code == celements_power && is_whole(number)) {
    return each(whole_power_lanes, number, a, same_place, b, same_place, c, count);
  }
  switch (code) {
#define OPERATION(name, expression) \
  case celements_##name:            \
    return each(name##_lanes, number, a, same_place, b, same_place, c, count);
    OPERATIONS_OF_ONE(OPERATION)
    OPERATIONS_OF_TWO(OPERATION)
#undef OPERATION
  }
}

/// Applies an operation of two to elements that broadcasting pairs up; does nothing for one of one.
static void apply_matrix(celements_code code, const float *a, const float *b, float *c,
                         celements_matrix matrix) {
  switch (code) {
#define OPERATION(name, expression) \
  case celements_##name:            \
    return each_row(name##_lanes, 0, a, b, c, matrix);
    OPERATIONS_OF_TWO(OPERATION)
#undef OPERATION
    default:
      return;
  }
}

/// Applies an operation of two to each row of a matrix and one row.
static void apply_row(celements_code code, const float *a, const float *row, float *c,
                      ptrdiff_t rows, ptrdiff_t columns) {
  if (rows == 1) return apply(code, 0, a, row, c, columns);
  celements_matrix matrix = {
      .rows = rows, .columns = columns, .a_stride = columns, .b_stride = 0};
  if (columns >= lane_count) return apply_matrix(code, a, row, c, matrix);
  // Narrow rows: sixteen of them are a whole number of vectors, so the row is written out sixteen times
  // and the matrix is taken as rows of as many elements.
  float pattern[lane_count * lane_count];
  const Lanes once = load_first(row, columns, 0);
  // What each store writes too much, the next one overwrites.
  const ptrdiff_t needed = rows < lane_count ? rows : lane_count;
  for (ptrdiff_t i = 0; i < needed; i++) store(once, pattern + i * columns);
  const ptrdiff_t period = columns * lane_count, whole = rows / lane_count;
  if (whole > 0) {
    matrix.rows = whole;
    matrix.columns = matrix.a_stride = period;
    apply_matrix(code, a, pattern, c, matrix);
  }
  const ptrdiff_t done = whole * period;
  apply(code, 0, a + done, pattern, c + done, rows * columns - done);
}
