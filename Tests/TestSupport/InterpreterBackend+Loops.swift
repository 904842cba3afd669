// Steps that graphs have no operation for: poolings with indices, and normalizations with statistics.

import Execution
import Graphs
import Tensors

extension InterpreterProgram {
  /// The index of a window whose maximum passes nothing on.
  private static let none: UInt8 = 255

  func poolWithIndices(_ step: Step, _ pooling: Pooling, throughRelu: Bool) {
    let images = read(step.operands[0])
    let (maxima, places) = (step.results[0], step.results[1])
    var found: [Double] = []
    let windows = Graph().windows(of: pooling, over: images.shape, output: shape(maxima))
    for (position, window) in windows.enumerated() {
      let largest = window.map { images.values[$0] }.max() ?? -.infinity
      let index = window.firstIndex { images.values[$0] == largest } ?? 0
      found.append(largest)
      indices[place(position, maxima, places)] =
        throughRelu && largest <= 0 ? InterpreterProgram.none : UInt8(index)
    }
    write(found, to: maxima.location)
  }

  func poolGradientFromIndices(_ step: Step, _ pooling: Pooling) {
    let cotangent = read(step.operands[0])
    let images = shape(step.results[0])
    var found = Array(repeating: 0.0, count: images.count)
    let windows = Graph().windows(of: pooling, over: images, output: cotangent.shape)
    for (position, window) in windows.enumerated() {
      let index = indices[place(position, step.operands[0], step.operands[1])]
      if index != InterpreterProgram.none {
        found[window[Int(index)]] += cotangent.values[position]
      }
    }
    write(found, to: step.results[0].location)
  }

  /// The place of a position's index, which may stand in longer rows than its maximum.
  private func place(_ position: Int, _ maxima: Value, _ indices: Value) -> Int {
    let (columns, stride) = (shape(maxima).extents.last ?? 1, shape(indices).extents.last ?? 1)
    return indices.location.offset + position / columns * stride + position % columns
  }

  // MARK: Normalizations.

  /// A normalized value, the group of each of its elements, and its statistics.
  private struct Normalized {
    let x: Tensor
    let groupCount: Int
    let groups: [Int]
    let statistics: Value

    var layout: StatisticsLayout { StatisticsLayout(groupCount: groupCount) }
  }

  private func normalized(_ x: Value, _ axes: [Int], _ statistics: Value) -> Normalized {
    let (outer, middle, inner) = shape(x).split(at: axes)
    let groups = (0..<outer * middle * inner).map { $0 / (middle * inner) * inner + $0 % inner }
    return Normalized(
      x: read(x), groupCount: outer * inner, groups: groups, statistics: statistics)
  }

  private func statistic(_ offset: Int, _ count: Int, _ value: Normalized) -> [Double] {
    let start = floats(at: value.statistics.location) + offset
    return (0..<count).map { Double(start[$0]) }
  }

  private func set(_ offset: Int, _ numbers: [Double], _ value: Normalized) {
    let start = value.statistics.location
    write(numbers, to: Location(start.region, start.offset + offset))
  }

  private func sums(_ numbers: [Double], _ value: Normalized) -> [Double] {
    var sums = Array(repeating: 0.0, count: value.groupCount)
    for (number, group) in zip(numbers, value.groups) { sums[group] += number }
    return sums
  }

  func takeStatistics(_ step: Step, _ part: StatisticsPart, _ normalization: Normalization) {
    let value = normalized(step.operands[0], normalization.axes, step.results[0])
    let (layout, groupCount) = (value.layout, value.groupCount)
    func squares(_ means: [Double]) -> [Double] {
      sums(zip(value.x.values, value.groups).map { ($0 - means[$1]) * ($0 - means[$1]) }, value)
    }
    func setDeviations(_ squares: [Double], _ share: Double) {
      let variances = squares.map { $0 * share }
      set(layout.variances, variances, value)
      set(
        layout.inverseDeviations,
        variances.map { 1 / ($0 + normalization.epsilon).squareRoot() }, value)
    }
    let share = statistic(layout.share, 1, value)[0]
    switch part {
    case .all:
      let share = Double(groupCount) / Double(max(value.x.values.count, 1))
      let means = sums(value.x.values, value).map { $0 * share }
      set(layout.means, means, value)
      set(layout.share, [share], value)
      setDeviations(squares(means), share)
    case .sums:
      set(layout.sums, sums(value.x.values, value) + [Double(rowCount)], value)
    case .squares:
      let totals = statistic(layout.sums, groupCount + 1, value)
      let perRow = Double(value.x.values.count / groupCount / rowCount)
      let share = 1 / (totals[groupCount] * perRow)
      let means = totals.dropLast().map { $0 * share }
      set(layout.means, means, value)
      set(layout.share, [share], value)
      set(layout.sums, squares(means), value)
    case .deviations: setDeviations(statistic(layout.sums, groupCount, value), share)
    }
  }

  /// Computes an operation of a normalization from its statistics; returns false for any other.
  func performNormalization(_ operation: Graph.Operation, _ step: Step) throws -> Bool {
    let operands = step.operands
    guard let last = operands.last, let result = step.results.first?.location else { return false }
    /// The normalized elements, given the index of the value among the operands.
    func normals(_ axes: [Int], _ index: Int) -> (
      value: Normalized, x: [Double], inverses: [Double]
    ) {
      let value = normalized(operands[index], axes, last)
      let means = statistic(value.layout.means, value.groupCount, value)
      let inverses = statistic(value.layout.inverseDeviations, value.groupCount, value)
      let x = zip(value.x.values, value.groups).map { ($0 - means[$1]) * inverses[$1] }
      return (value, x, inverses)
    }
    if case .normalize(let normalization) = operation {
      let (value, x, _) = normals(normalization.axes, 0)
      let (scale, shift) = (read(operands[1]).values, read(operands[2]).values)
      write(zip(x, value.groups).map { $0 * scale[$1] + shift[$1] }, to: result)
    } else if case .normalizeScaleGradient(let normalization) = operation {
      let (value, x, _) = normals(normalization.axes, 1)
      write(sums(zip(read(operands[0]).values, x).map { $0 * $1 }, value), to: result)
    } else if case .normalizeInputGradient(let normalization) = operation {
      let (value, x, inverses) = normals(normalization.axes, 1)
      let share = statistic(value.layout.share, 1, value)[0]
      let (c, scale) = (read(operands[0]).values, read(operands[2]).values)
      let (s, t) = (read(operands[3]).values, read(operands[4]).values)
      write(
        x.indices.map { i in
          let group = value.groups[i]
          let rest = c[i] - share * t[group] - x[i] * share * s[group]
          return scale[group] * inverses[group] * rest
        }, to: result)
    } else if case .moments(let normalization) = operation {
      let value = normals(normalization.axes, 0).value
      write(
        statistic(value.layout.means, value.groupCount, value)
          + statistic(value.layout.variances, value.groupCount, value), to: result)
    } else {
      return false
    }
    return true
  }
}
