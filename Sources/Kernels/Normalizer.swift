// Normalisation over the middle of three axes: statistics once, used forward and backward.

import Numerics
public import Tensors

/// Mean and deviation of x, `[outer, middle, inner]`, over the middle axis, and what is computed from them.
///
/// Sums add 32 elements, or vectors, in order, 32 such sums in order, and those in order, whatever runs
/// them. A final class with one owner, used by one thread at a time.
public final class Normalizer {
  private let outer: Int
  private let middle: Int
  private let inner: Int
  private let epsilon: Float
  /// The number of rows along the middle axis.
  private let rows: Int
  private let means: FloatBuffer
  private let variances: FloatBuffer
  private let inverses: FloatBuffer
  /// One over the number of elements that share a mean.
  private var share: Float
  /// Sums of all groups, then the number of rows: what is added over microbatches.
  public let totals: FloatBuffer

  /// Prepares the normalisation of one shape.
  ///
  /// - Parameters:
  ///   - outer: The elements before the axis that is normalised over.
  ///   - middle: The length of that axis.
  ///   - inner: The elements after it.
  ///   - epsilon: What is added to the variance.
  ///   - rows: The rows along the axis, where sums are taken over microbatches.
  public init(outer: Int, middle: Int, inner: Int, epsilon: Double, rows: Int = 1) {
    self.outer = outer
    self.middle = middle
    self.inner = inner
    self.epsilon = Float(epsilon)
    self.rows = rows
    share = 1 / Float(max(middle, 1))
    totals = FloatBuffer(count: outer * inner + 1)
    means = FloatBuffer(count: max(outer * inner, 1))
    variances = FloatBuffer(count: max(outer * inner, 1))
    inverses = FloatBuffer(count: max(outer * inner, 1))
  }

  /// Takes means and deviations from `x`; the other functions use those of the last call.
  public func measure(_ x: UnsafePointer<Float>) {
    variances(x, into: variances.pointer)
    for group in 0..<outer * inner {
      inverses.pointer[group] = 1 / (variances.pointer[group] + epsilon).squareRoot()
    }
  }

  // MARK: Over all microbatches of a step.

  /// Writes the sum of each group into ``totals``.
  public func sum(_ x: UnsafePointer<Float>) {
    Reduction.sum(x, outer: outer, middle: middle, inner: inner, into: totals.pointer, scale: 1)
    totals.pointer[outer * inner] = Float(rows)
  }

  /// Takes the means from ``totals``, and writes the sums of `(x − μ)²` there.
  public func sumSquares(_ x: UnsafePointer<Float>) {
    let (mean, groups) = (means.pointer, outer * inner)
    let count = Double(totals.pointer[groups]) * Double(middle / rows)
    share = Float(1 / count)
    for group in 0..<groups { mean[group] = totals.pointer[group] * share }
    squares(x, into: totals.pointer, scale: 1)
  }

  /// Takes the deviations from ``totals``.
  public func takeDeviations() {
    for group in 0..<outer * inner {
      variances.pointer[group] = totals.pointer[group] * share
      inverses.pointer[group] = 1 / (variances.pointer[group] + epsilon).squareRoot()
    }
  }

  // MARK: What they are used for.

  /// Writes the means and the variances of each group that were measured last.
  public func moments(
    means m: UnsafeMutablePointer<Float>, variances v: UnsafeMutablePointer<Float>
  ) {
    Elementwise.copy(means.pointer, into: m, count: outer * inner)
    Elementwise.copy(variances.pointer, into: v, count: outer * inner)
  }

  /// Writes the mean of `(x − μ)²` of each group, and keeps the means.
  public func variances(_ x: UnsafePointer<Float>, into v: UnsafeMutablePointer<Float>) {
    Reduction.sum(
      x, outer: outer, middle: middle, inner: inner, into: means.pointer, scale: share)
    squares(x, into: v, scale: share)
  }

  /// Writes the sums of `(x − μ)²`, times a scale.
  private func squares(
    _ x: UnsafePointer<Float>, into v: UnsafeMutablePointer<Float>, scale: Float
  ) {
    let mean = means.pointer
    sums(into: v, scale: scale) { place, group, width in
      let centred = load(x + place, first: width) - self.groupLanes(mean, group, width)
      return centred * centred
    }
  }

  /// Writes `γ · x̂ + β`.
  public func normalize(
    _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
    into y: UnsafeMutablePointer<Float>
  ) {
    let (mean, inverse) = (means.pointer, inverses.pointer)
    forEachLanes { place, group, width in
      let slope = self.groupLanes(scale, group, width) * self.groupLanes(inverse, group, width)
      let centred = load(x + place, first: width) - self.groupLanes(mean, group, width)
      store(centred * slope + self.groupLanes(shift, group, width), y + place, first: width)
    }
  }

  /// Writes the sums of `c · x̂`.
  public func scaleGradient(
    _ cotangent: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    into s: UnsafeMutablePointer<Float>
  ) {
    let (mean, inverse) = (means.pointer, inverses.pointer)
    sums(into: s, scale: 1) { place, group, width in
      let centred = load(x + place, first: width) - self.groupLanes(mean, group, width)
      return load(cotangent + place, first: width)
        * (centred * self.groupLanes(inverse, group, width))
    }
  }

  /// Writes `γ / √(σ² + ε) · (c − t / n − x̂ · s / n)`, with s and t the gradients of γ and β.
  public func inputGradient(
    _ cotangent: UnsafePointer<Float>, _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>,
    scaleGradient s: UnsafePointer<Float>, shiftGradient t: UnsafePointer<Float>,
    into d: UnsafeMutablePointer<Float>
  ) {
    let (mean, inverse) = (means.pointer, inverses.pointer)
    let share = Lanes(repeating: share)
    forEachLanes { place, group, width in
      let deviation = self.groupLanes(inverse, group, width)
      let normal =
        (load(x + place, first: width) - self.groupLanes(mean, group, width)) * deviation
      let inner =
        load(cotangent + place, first: width) - self.groupLanes(t, group, width) * share
        - normal * (self.groupLanes(s, group, width) * share)
      store(self.groupLanes(scale, group, width) * deviation * inner, d + place, first: width)
    }
  }

  /// The numbers of the groups that lanes belong to: one for all of them where groups are rows.
  @inline(__always)
  private func groupLanes(_ p: UnsafePointer<Float>, _ group: Int, _ width: Int) -> Lanes {
    inner == 1 ? Lanes(repeating: p[group]) : load(p + group, first: width)
  }

  /// Calls `body` for all elements, up to sixteen of them at once, with their first group.
  @inline(__always)
  private func forEachLanes(_ body: (_ place: Int, _ group: Int, _ width: Int) -> Void) {
    // Rows of one group lie along the middle axis, columns of groups along the inner one.
    let (rowCount, length) = inner == 1 ? (outer, middle) : (outer &* middle, inner)
    for row in 0..<rowCount {
      let group = inner == 1 ? row : row / max(middle, 1) &* inner
      var i = 0
      while i < length {
        body(row &* length &+ i, inner == 1 ? group : group &+ i, min(laneCount, length &- i))
        i &+= laneCount
      }
    }
  }

  /// Sums a term over each group.
  @inline(__always)
  private func sums(
    into c: UnsafeMutablePointer<Float>, scale: Float,
    _ term: (_ place: Int, _ group: Int, _ width: Int) -> Lanes
  ) {
    if inner == 1 {
      for group in 0..<outer {
        var sum = CascadedSum()
        var i = 0
        while i < middle {
          let width = min(laneCount, middle &- i)
          var lanes = term(group &* middle &+ i, group, width)
          // Lanes beyond the row hold the terms of nothing.
          for lane in width..<laneCount { lanes[lane] = 0 }
          sum.add(lanes)
          i &+= laneCount
        }
        c[group] = laneSum(sum.total) * scale
      }
      return
    }
    for row in 0..<outer {
      var i = 0
      while i < inner {
        let width = min(laneCount, inner &- i)
        var sum = CascadedSum()
        for j in 0..<middle {
          sum.add(term((row &* middle &+ j) &* inner &+ i, row &* inner &+ i, width))
        }
        store(sum.total * Lanes(repeating: scale), c + (row &* inner &+ i), first: width)
        i &+= laneCount
      }
    }
  }
}

/// A sum in three levels of 32 terms, in order within each, so that errors stay small.
private struct CascadedSum {
  private var levels = (Lanes(repeating: 0), Lanes(repeating: 0), Lanes(repeating: 0))
  private var count = 0

  var total: Lanes { levels.2 + (levels.1 + levels.0) }

  @inline(__always)
  mutating func add(_ term: Lanes) {
    levels.0 = levels.0 + term
    count &+= 1
    guard count & 31 == 0 else { return }
    levels.1 = levels.1 + levels.0
    levels.0 = Lanes(repeating: 0)
    guard count & 1023 == 0 else { return }
    levels.2 = levels.2 + levels.1
    levels.1 = Lanes(repeating: 0)
  }
}
