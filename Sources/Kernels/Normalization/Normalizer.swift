// Normalisation over the middle of three axes: statistics once, used forward and backward.

import Numerics

/// Mean and deviation of x, `[outer, middle, inner]`, over the middle axis, and what is computed from them.
///
/// The order of all sums follows from the shape alone: where `inner` is 1, that of ``Reduction``; else 32
/// rows in order, 32 such sums in order, and those in order.
public struct Normalizer: Sendable {
  /// The places of the statistics of one value.
  public struct Statistics {
    /// The means, one per group.
    let means: UnsafeMutablePointer<Float>
    /// The variances.
    let variances: UnsafeMutablePointer<Float>
    /// `1 / √(σ² + ε)`.
    let inverses: UnsafeMutablePointer<Float>
    /// One over the number of elements that share a mean.
    let share: UnsafeMutablePointer<Float>
    /// Sums of all groups, then the number of rows: what is added over microbatches.
    let sums: UnsafeMutablePointer<Float>

    /// Names the memory of statistics.
    ///
    /// - Parameters:
    ///   - means: As many elements as there are groups, `outer · inner`.
    ///   - variances: As many.
    ///   - inverses: As many.
    ///   - share: One element.
    ///   - sums: One more than groups; used only where sums are taken over microbatches.
    @inline(__always)
    public init(
      means: UnsafeMutablePointer<Float>, variances: UnsafeMutablePointer<Float>,
      inverses: UnsafeMutablePointer<Float>, share: UnsafeMutablePointer<Float>,
      sums: UnsafeMutablePointer<Float>
    ) {
      self.means = means
      self.variances = variances
      self.inverses = inverses
      self.share = share
      self.sums = sums
    }
  }

  private let outer: Int
  private let middle: Int
  private let inner: Int
  private let epsilon: Float
  /// The number of rows along the middle axis.
  private let rows: Int

  /// Prepares the normalisation of one shape.
  ///
  /// - Parameters:
  ///   - outer: The elements before the axis that is normalised over.
  ///   - middle: The length of that axis.
  ///   - inner: The elements after it.
  ///   - epsilon: The number added to the variance.
  ///   - rows: The rows along the axis, where sums are taken over microbatches.
  public init(outer: Int, middle: Int, inner: Int, epsilon: Double, rows: Int = 1) {
    self.outer = outer
    self.middle = middle
    self.inner = inner
    self.epsilon = Float(epsilon)
    self.rows = rows
  }

  /// Takes means and deviations from `x`; the other functions use them.
  public func measure(_ x: UnsafePointer<Float>, into statistics: Statistics) {
    variances(x, means: statistics.means, into: statistics.variances)
    statistics.share[0] = share
    takeInverses(of: statistics)
  }

  private var share: Float { 1 / Float(max(middle, 1)) }

  private func takeInverses(of statistics: Statistics) {
    for group in 0..<outer * inner {
      statistics.inverses[group] = 1 / (statistics.variances[group] + epsilon).squareRoot()
    }
  }

  // MARK: Over all microbatches of a step.

  /// Writes the sum of each group, and the number of rows.
  public func sum(_ x: UnsafePointer<Float>, into statistics: Statistics) {
    let sums = statistics.sums
    Reduction.sum(x, outer: outer, middle: middle, inner: inner, into: sums, scale: 1)
    sums[outer * inner] = Float(rows)
  }

  /// Takes the means from the sums, and writes the sums of `(x − μ)²` there.
  public func sumSquares(_ x: UnsafePointer<Float>, into statistics: Statistics) {
    let (mean, sums, groups) = (statistics.means, statistics.sums, outer * inner)
    let count = Double(sums[groups]) * Double(middle / rows)
    let share = Float(1 / count)
    statistics.share[0] = share
    for group in 0..<groups { mean[group] = sums[group] * share }
    guard inner == 1 else {
      for matrix in 0..<outer {
        sumColumns(SquaredDeviation(mean: mean), x, x, of: matrix, into: sums)
      }
      return
    }
    for row in 0..<outer {
      let terms = SquaredDeviations(a: x + row &* middle, mean: mean[row])
      sums[row] = orderedSum(terms, count: middle)
    }
  }

  /// Takes the deviations from the sums.
  public func takeDeviations(into statistics: Statistics) {
    let share = statistics.share[0]
    for group in 0..<outer * inner {
      statistics.variances[group] = statistics.sums[group] * share
    }
    takeInverses(of: statistics)
  }

  // MARK: What they are used for.

  /// Writes the means and the variances of each group.
  public func moments(
    _ statistics: Statistics, means m: UnsafeMutablePointer<Float>,
    variances v: UnsafeMutablePointer<Float>
  ) {
    Elementwise.copy(statistics.means, into: m, count: outer * inner)
    Elementwise.copy(statistics.variances, into: v, count: outer * inner)
  }

  /// Writes the mean of `(x − μ)²` of each group, and the means.
  ///
  /// Along rows the deviations from the mean are summed. Columns are measured 32 rows at a time, which stay
  /// in the cache meanwhile, so that x is brought there once.
  /// Source: Chan, Golub and LeVeque, *Updating Formulae and a Pairwise Algorithm for Computing Sample
  /// Variances* (1979), for the union of two parts.
  public func variances(
    _ x: UnsafePointer<Float>, means m: UnsafeMutablePointer<Float>,
    into v: UnsafeMutablePointer<Float>
  ) {
    let share = share
    guard inner == 1 else {
      for matrix in 0..<outer {
        measureColumns(
          x + matrix &* middle &* inner, means: m + matrix &* inner,
          deviations: v + matrix &* inner)
      }
      Elementwise.apply(.scale, number: Double(share), v, into: v, count: outer &* inner)
      return
    }
    for row in 0..<outer {
      let elements = x + row &* middle
      let mean = share * orderedSum(Elements(a: elements), count: middle)
      m[row] = mean
      v[row] = share * orderedSum(SquaredDeviations(a: elements, mean: mean), count: middle)
    }
  }

  /// Writes `γ · x̂ + β`.
  public func normalize(
    _ x: UnsafePointer<Float>, _ statistics: Statistics, scale: UnsafePointer<Float>,
    shift: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
  ) {
    let formula = Normalized(
      mean: statistics.means, inverse: statistics.inverses, scale: scale, shift: shift)
    map(formula, x, x, into: y)
  }

  /// Writes the sums of `c · x̂`.
  public func scaleGradient(
    _ cotangent: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ statistics: Statistics,
    into s: UnsafeMutablePointer<Float>
  ) {
    let (means, inverses) = (statistics.means, statistics.inverses)
    guard inner == 1 else {
      let term = NormalTerm(mean: means, inverse: inverses)
      for matrix in 0..<outer { sumColumns(term, cotangent, x, of: matrix, into: s) }
      return
    }
    for row in 0..<outer {
      let terms = NormalTerms(
        cotangent: cotangent + row &* middle, x: x + row &* middle,
        mean: Lanes(repeating: means[row]), inverse: Lanes(repeating: inverses[row]))
      s[row] = orderedSum(terms, count: middle)
    }
  }

  /// Writes `γ / √(σ² + ε) · (c − t / n − x̂ · s / n)`, with s and t the gradients of γ and β.
  public func inputGradient(
    _ cotangent: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ statistics: Statistics,
    scale: UnsafePointer<Float>, scaleGradient s: UnsafePointer<Float>,
    shiftGradient t: UnsafePointer<Float>, into d: UnsafeMutablePointer<Float>
  ) {
    let formula = InputGradient(
      mean: statistics.means, inverse: statistics.inverses, scale: scale, s: s, t: t,
      share: statistics.share[0])
    map(formula, cotangent, x, into: d)
  }

  // MARK: Loops over columns.

  /// The rows of a part: few enough that all columns of it stay in the cache.
  private static var partRows: Int { 1024 }
  private static var leafRows: Int { 32 }

  /// Writes the means of the columns of a matrix and the sums of the squared deviations from them.
  private func measureColumns(
    _ x: UnsafePointer<Float>, means: UnsafeMutablePointer<Float>,
    deviations: UnsafeMutablePointer<Float>
  ) {
    means.update(repeating: 0, count: inner)
    deviations.update(repeating: 0, count: inner)
    var row = 0
    while row < middle {
      let end = min(row &+ Normalizer.partRows, middle)
      var i = 0
      while i &+ laneCount <= inner {
        measurePart(x + i, row..<end, means + i, deviations + i, AllLanes())
        i &+= laneCount
      }
      if i < inner {
        measurePart(x + i, row..<end, means + i, deviations + i, FirstLanes(count: inner &- i))
      }
      row = end
    }
  }

  /// Joins what is measured of some rows to what was measured of those before.
  @inline(__always)
  private func measurePart<Some: Access>(
    _ x: UnsafePointer<Float>, _ rows: Range<Int>, _ means: UnsafeMutablePointer<Float>,
    _ deviations: UnsafeMutablePointer<Float>, _ access: Some
  ) {
    var part = ColumnMoments()
    var row = rows.lowerBound
    while row < rows.upperBound {
      let end = min(row &+ Normalizer.leafRows, rows.upperBound)
      let (first, count) = (x + row &* inner, end &- row)
      var sum = Lanes(repeating: 0)
      var p = first
      for _ in 0..<count {
        sum = sum + access.read(p)
        p += inner
      }
      let mean = sum * Lanes(repeating: 1 / Float(count))
      var squares = Lanes(repeating: 0)
      p = first
      for _ in 0..<count {
        let deviation = access.read(p) - mean
        squares = squares + deviation * deviation
        p += inner
      }
      part.join(ColumnMoments(count: count, mean: mean, squares: squares))
      row = end
    }
    var all = ColumnMoments(
      count: rows.lowerBound, mean: access.read(means), squares: access.read(deviations))
    all.join(part)
    access.write(all.mean, means)
    access.write(all.squares, deviations)
  }

  /// Sums a formula over the columns of a matrix.
  @inline(__always)
  private func sumColumns<Term: GroupFormula>(
    _ term: Term, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, of matrix: Int,
    into s: UnsafeMutablePointer<Float>
  ) {
    let (start, group) = (matrix &* middle &* inner, matrix &* inner)
    let sums = s + group
    sums.update(repeating: 0, count: inner)
    var row = 0
    while row < middle {
      let end = min(row &+ Normalizer.partRows, middle)
      var i = 0
      while i < inner {
        let (x, y) = (a + (start &+ i), b + (start &+ i))
        if i &+ laneCount <= inner {
          let known = term.known(OwnGroups(first: group &+ i, access: AllLanes()))
          sumPart(term, known, x, y, row..<end, sums + i, AllLanes())
        } else {
          let access = FirstLanes(count: inner &- i)
          let known = term.known(OwnGroups(first: group &+ i, access: access))
          sumPart(term, known, x, y, row..<end, sums + i, access)
        }
        i &+= laneCount
      }
      row = end
    }
  }

  @inline(__always)
  private func sumPart<Term: GroupFormula, Some: Access>(
    _ term: Term, _ known: Term.Known, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    _ rows: Range<Int>, _ sums: UnsafeMutablePointer<Float>, _ access: Some
  ) {
    var part = Lanes(repeating: 0)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let end = min(row &+ Normalizer.leafRows, rows.upperBound)
      var leaf = Lanes(repeating: 0)
      var position = row &* inner
      for _ in row..<end {
        leaf = leaf + term.value(known, access.read(a + position), access.read(b + position))
        position &+= inner
      }
      part = part + leaf
      row = end
    }
    access.write(access.read(sums) + part, sums)
  }

  // MARK: Loops over elements.

  /// Writes a formula of two tensors and of the groups of their elements.
  @inline(__always)
  private func map<Formula: GroupFormula>(
    _ formula: Formula, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into d: UnsafeMutablePointer<Float>
  ) {
    guard inner > 1 else {
      for row in 0..<outer {
        let known = formula.known(SameGroup(group: row))
        let start = row &* middle
        forEachLanes(a + start, b + start, into: d + start, count: middle) {
          formula.value(known, $0, $1)
        }
      }
      return
    }
    for matrix in 0..<outer {
      var row = 0
      while row < middle {
        // Few rows at a time, so that memory is read and written in order.
        let rows = min(Normalizer.leafRows, middle &- row)
        let (start, group) = ((matrix &* middle &+ row) &* inner, matrix &* inner)
        var i = 0
        while i &+ laneCount <= inner {
          let known = formula.known(OwnGroups(first: group &+ i, access: AllLanes()))
          mapRows(formula, known, a, b, into: d, start &+ i, rows, AllLanes())
          i &+= laneCount
        }
        if i < inner {
          let access = FirstLanes(count: inner &- i)
          let known = formula.known(OwnGroups(first: group &+ i, access: access))
          mapRows(formula, known, a, b, into: d, start &+ i, rows, access)
        }
        row &+= rows
      }
    }
  }

  @inline(__always)
  private func mapRows<Formula: GroupFormula, Some: Access>(
    _ formula: Formula, _ known: Formula.Known, _ a: UnsafePointer<Float>,
    _ b: UnsafePointer<Float>, into d: UnsafeMutablePointer<Float>, _ first: Int, _ rows: Int,
    _ access: Some
  ) {
    var position = first
    for _ in 0..<rows {
      access.write(
        formula.value(known, access.read(a + position), access.read(b + position)), d + position)
      position &+= inner
    }
  }
}

/// Count, mean and sum of squared deviations of some elements in each lane.
private struct ColumnMoments {
  var count = 0
  var mean = Lanes(repeating: 0)
  var squares = Lanes(repeating: 0)

  @inline(__always)
  mutating func join(_ other: ColumnMoments) {
    guard count > 0 else {
      self = other
      return
    }
    let share = Float(other.count) / Float(count &+ other.count)
    let difference = other.mean - mean
    mean = mean + difference * Lanes(repeating: share)
    squares =
      squares
      + (other.squares + difference * difference * Lanes(repeating: Float(count) * share))
    count &+= other.count
  }
}
