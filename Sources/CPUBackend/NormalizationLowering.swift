// From steps of normalizations to the kernels that compute them.
import Execution
import Graphs
import Kernels
import Tensors

extension Lowering {
  /// A part of the statistics of a value.
  func statistics(_ step: Step, _ part: StatisticsPart, _ normalization: Normalization) -> Call {
    let normalizer = normalizer(of: step.operands[0], normalization)
    let (x, places) = (
      step.operands[0].location, places(step.results[0], of: step.operands[0], normalization)
    )
    switch part {
    case .all: return { normalizer.measure($0[x], into: places.resolved($0)) }
    case .sums: return { normalizer.sum($0[x], into: places.resolved($0)) }
    case .squares: return { normalizer.sumSquares($0[x], into: places.resolved($0)) }
    case .deviations: return { normalizer.takeDeviations(into: places.resolved($0)) }
    }
  }

  /// `γ · x̂ + β`.
  func normalize(_ step: Step, _ normalization: Normalization) -> Call {
    let (normalizer, places) = bound(step, x: 0, normalization)
    let operands = step.operands.map(\.location)
    let (x, scale, shift) = (operands[0], operands[1], operands[2])
    let target = step.results[0].location
    return {
      normalizer.normalize(
        $0[x], places.resolved($0), scale: $0[scale], shift: $0[shift], into: $0[target])
    }
  }

  /// The cotangent of γ.
  func normalizeScaleGradient(_ step: Step, _ normalization: Normalization) -> Call {
    let (normalizer, places) = bound(step, x: 1, normalization)
    let (c, x) = (step.operands[0].location, step.operands[1].location)
    let target = step.results[0].location
    return { normalizer.scaleGradient($0[c], $0[x], places.resolved($0), into: $0[target]) }
  }

  /// The cotangent of x.
  func normalizeInputGradient(_ step: Step, _ normalization: Normalization) -> Call {
    let (normalizer, places) = bound(step, x: 1, normalization)
    let operands = step.operands.map(\.location)
    let (c, x, scale, s, t) = (operands[0], operands[1], operands[2], operands[3], operands[4])
    let target = step.results[0].location
    return {
      normalizer.inputGradient(
        $0[c], $0[x], places.resolved($0), scale: $0[scale], scaleGradient: $0[s],
        shiftGradient: $0[t], into: $0[target])
    }
  }

  /// Means, then variances.
  func moments(_ step: Step, _ normalization: Normalization) -> Call {
    let (normalizer, places) = bound(step, x: 0, normalization)
    let (target, groups) = (step.results[0].location, shape(step.results[0]).count / 2)
    return {
      normalizer.moments(
        places.resolved($0), means: $0[target], variances: $0[target] + groups)
    }
  }

  /// Variances alone.
  func variance(_ step: Step, axes: [Int]) -> Call {
    let normalization = Normalization(axes: axes, epsilon: 0)
    let normalizer = normalizer(of: step.operands[0], normalization)
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let means = step.results[1].location
    return { normalizer.variances($0[x], means: $0[means], into: $0[target]) }
  }

  /// The offsets of the statistics of a value.
  private struct Places {
    let start: Location
    let variances: Int
    let inverses: Int
    let share: Int
    let sums: Int

    @inline(__always)
    func resolved(_ bases: Bases) -> Normalizer.Statistics {
      let start = bases.statistics + start.offset
      return Normalizer.Statistics(
        means: start, variances: start + variances, inverses: start + inverses,
        share: start + share, sums: start + sums)
    }
  }

  /// The kernel of a step whose last operand is the statistics of another.
  private func bound(
    _ step: Step, x: Int, _ normalization: Normalization
  ) -> (normalizer: Normalizer, places: Places) {
    let (value, statistics) = (step.operands[x], step.operands[step.operands.count - 1])
    return (
      normalizer(of: value, normalization), places(statistics, of: value, normalization)
    )
  }

  private func places(
    _ statistics: Value, of x: Value, _ normalization: Normalization
  ) -> Places {
    let (outer, _, inner) = shape(x).split(at: normalization.axes)
    let layout = StatisticsLayout(groupCount: outer * inner)
    return Places(
      start: statistics.location, variances: layout.variances, inverses: layout.inverseDeviations,
      share: layout.share, sums: layout.sums)
  }

  private func normalizer(of x: Value, _ normalization: Normalization) -> Normalizer {
    let (outer, middle, inner) = shape(x).split(at: normalization.axes)
    return Normalizer(
      outer: outer, middle: middle, inner: inner, epsilon: normalization.epsilon,
      rows: normalization.spansMicrobatches ? rowCount : 1)
  }
}
