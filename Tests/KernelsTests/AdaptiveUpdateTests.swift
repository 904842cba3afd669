import Kernels
import Numerics
import Testing

/// Against loops over single elements; Tests/TrainingTests compares whole steps with references.
@Suite("Penalties, trust ratios, clipping and averages")
struct AdaptiveUpdateTests {
  /// The vectors of one step: parameters with zeros among them, gradient, two of state.
  private struct Run {
    let p: Vector
    let g: Vector
    let m: Vector
    let v: Vector

    init(_ count: Int, _ offset: Int) {
      var parameters = numbers(127, stream: 1)
      for i in stride(from: 0, to: parameters.count, by: 5) { parameters[i] = 0 }
      p = Vector(Array(parameters[..<count]), offset: offset)
      g = Vector(Array(numbers(127, stream: 2)[..<count]), offset: offset + 1)
      m = Vector(Array(numbers(127, stream: 3)[..<count]), offset: offset + 2)
      v = Vector(Array(numbers(127, stream: 4).map { $0 * $0 }[..<count]), offset: offset + 3)
    }

    var all: [Vector] { [p, g, m, v] }
  }

  /// Runs `update` at all extents and compares with `expected`, which changes single elements.
  private func check(
    _ update: (Run) -> Void,
    _ expected: (_ p: inout Float, _ g: inout Float, _ m: inout Float, _ v: inout Float) -> Void
  ) {
    for count in extents {
      for offset in [0, 3] {
        let (run, before) = (Run(count, offset), Run(count, offset))
        update(run)
        for i in 0..<count {
          var (p, g) = (before.p.pointer[i], before.g.pointer[i])
          var (m, v) = (before.m.pointer[i], before.v.pointer[i])
          expected(&p, &g, &m, &v)
          for (found, wanted) in [
            (run.p, p), (run.g, g), (run.m, m), (run.v, v),
          ] { #expect(abs(found.pointer[i] - wanted) <= 2e-6, "\(i) of \(count)") }
        }
        for vector in run.all { #expect(vector.isIntact) }
        // An element has the same bits wherever it lies.
        let longest = Run(127, 1)
        update(longest)
        for (one, other) in zip(run.all, longest.all) {
          #expect(one.bits == Array(other.bits[..<count]))
        }
      }
    }
  }

  private func sign(_ x: Float) -> Float { x > 0 ? 1 : x < 0 ? -1 : 0 }

  @Test("the L1 penalty adds the sign of a parameter, 0 at 0, to its gradient")
  func l1() {
    check { run in
      Update.sgd(
        parameters: run.p.pointer, gradient: run.g.pointer, momentum: nil, count: run.p.count,
        momentumFactor: 0, nesterov: false,
        UpdateFactors(learningRate: 0.1, weightDecay: 0.25, l1: 0.5, gradientScale: 0.25))
    } _: { p, g, _, _ in
      p -= 0.1 * (0.25 * g + 0.25 * p + 0.5 * sign(p))
    }
    check { run in
      Update.sgd(
        parameters: run.p.pointer, gradient: run.g.pointer, momentum: run.m.pointer,
        count: run.p.count, momentumFactor: 0.5, nesterov: true,
        UpdateFactors(learningRate: 0.1, l1: 0.5))
    } _: { p, g, m, _ in
      let slope = g + 0.5 * sign(p)
      m = 0.5 * m + slope
      p -= 0.1 * (slope + 0.5 * m)
    }
    check { run in
      Update.adam(
        parameters: run.p.pointer, gradient: run.g.pointer, first: run.m.pointer,
        second: run.v.pointer, count: run.p.count,
        moments: AdamMoments(step: 1, beta1: 0.5, beta2: 0.75, epsilon: 0.125), decoupled: true,
        UpdateFactors(learningRate: 0.01, weightDecay: 0.5, l1: 0.5))
    } _: { p, g, m, v in
      p -= 0.01 * 0.5 * p
      let slope = g + 0.5 * sign(p)
      m = 0.5 * m + 0.5 * slope
      v = 0.75 * v + 0.25 * slope * slope
      p -= 0.01 * (m / 0.5) / ((v / 0.25).squareRoot() + 0.125)
    }
  }

  @Test("LARS keeps the step size inside its momentum", arguments: [0, 0.5])
  func lars(l1: Double) {
    check { run in
      Update.lars(
        parameters: run.p.pointer, gradient: run.g.pointer, momentum: run.m.pointer,
        count: run.p.count, momentumFactor: 0.5,
        UpdateFactors(learningRate: 0.1, weightDecay: 0.25, l1: l1, gradientScale: 0.25))
    } _: { p, g, m, _ in
      m = 0.5 * m + 0.1 * (0.25 * g + 0.25 * p + Float(l1) * sign(p))
      p -= m
    }
  }

  @Test("LAMB measures the direction that it then takes", arguments: [0, 0.5])
  func lamb(l1: Double) {
    let moments = AdamMoments(step: 2, beta1: 0.5, beta2: 0.75, epsilon: 0.125)
    let factors = UpdateFactors(
      learningRate: 0.1, weightDecay: 0.5, l1: l1, gradientScale: 0.25)
    func take(_ run: Run) -> (direction: Double, parameters: Double) {
      let squares = Update.lambMoments(
        parameters: run.p.pointer, gradient: run.g.pointer, first: run.m.pointer,
        second: run.v.pointer, count: run.p.count, moments: moments, factors)
      Update.lamb(
        parameters: run.p.pointer, first: run.m.pointer, second: run.v.pointer,
        count: run.p.count, moments: moments, factors)
      return squares
    }
    check {
      _ = take($0)
    } _: { p, g, m, v in
      let slope = 0.25 * g + Float(l1) * sign(p)
      m += 0.5 * (slope - m)
      v = 0.75 * v + 0.25 * slope * slope
      p -= 0.1 * ((m / 0.75) / ((v / 0.4375).squareRoot() + 0.125) + 0.5 * p)
    }
    let (run, before) = (Run(127, 0), Run(127, 0))
    let squares = take(run)
    var expected = (0.0, 0.0)
    for (p, q) in zip(before.p.values, run.p.values) {
      expected.0 += Double((p - q) * 10) * Double((p - q) * 10)
      expected.1 += Double(p) * Double(p)
    }
    #expect(abs(squares.direction - expected.0) < 1e-4 * expected.0)
    #expect(abs(squares.parameters - expected.1) < 1e-12 * expected.1)
  }

  @Test("clipping bounds the mean of gradients and leaves what is not a number")
  func clamp() {
    check { run in
      Update.clamp(gradient: run.g.pointer, count: run.g.count, scale: 0.5, limit: 0.25)
    } _: { _, g, _, _ in
      g = min(max(0.5 * g, -0.25), 0.25)
    }
    let vector = Vector([.nan, .infinity, -.infinity, 1])
    Update.clamp(gradient: vector.pointer, count: 4, scale: 0.125, limit: 0.5)
    #expect(vector.values[0].isNaN)
    #expect(Array(vector.values[1...]) == [0.5, -0.5, 0.125])
  }

  @Test("an average moves towards the parameters, and stays where these are")
  func average() {
    check { run in
      Update.average(run.m.pointer, parameters: run.p.pointer, count: run.p.count, decay: 0.75)
    } _: { p, _, m, _ in
      m += 0.25 * (p - m)
    }
    let vector = Vector(numbers(33))
    let bits = vector.bits
    Update.average(
      vector.pointer, parameters: Vector(vector.values).pointer, count: 33, decay: 0.999)
    #expect(vector.bits == bits)
  }
}
