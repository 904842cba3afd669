// Gradients against central differences, all in double precision.
import Numerics
public import Tensors

/// The settings of a comparison of gradients with central differences.
public struct GradientCheckOptions: Hashable, Sendable {
  /// The elements that are compared one by one, over all targets; at least one of each.
  public var elementBudget: Int
  /// The random directions in which each target as a whole is compared.
  public var directionCount: Int
  /// The seed of elements and directions.
  public var seed: UInt64
  /// The largest relative difference that passes, beyond the error bound of the differences.
  public var tolerance: Double

  /// Creates options.
  public init(
    elementBudget: Int = 2000, directionCount: Int = 3, seed: UInt64 = 1, tolerance: Double = 1e-6
  ) {
    self.elementBudget = elementBudget
    self.directionCount = directionCount
    self.seed = seed
    self.tolerance = tolerance
  }
}

/// The outcome of a comparison.
public struct GradientCheck: Hashable, Sendable {
  /// The comparison of one element, or along one direction.
  public struct Sample: Hashable, Sendable {
    /// The index of the element, row-major; nil for a direction.
    public let element: Int?
    /// The derivative from the differentiated graph.
    public let gradient: Double
    /// The derivative from central differences.
    public let difference: Double
    /// The difference of the two over their size.
    public let relativeError: Double
    /// The difference that the errors of central differences themselves explain.
    public let errorBound: Double
    /// Indicates whether the function has a kink near, such as relu at 0, where no derivative exists, or is too noisy
    /// for central differences.
    public let isAtKink: Bool

    /// The part of the error that central differences do not explain.
    public var excess: Double { max(0, relativeError - errorBound) }

    /// Returns true if this comparison speaks more strongly against the gradient than another one.
    func isWorse(than other: Sample) -> Bool {
      (excess, relativeError) > (other.excess, other.relativeError)
    }
  }

  /// The comparisons of one parameter or input.
  public struct Target: Hashable, Sendable {
    /// Its name.
    public let name: String
    /// Its shape.
    public let shape: Shape
    /// The single elements that were compared.
    public let elements: [Sample]
    /// The directions that were compared.
    public let directions: [Sample]

    /// The share of elements that were compared one by one.
    public var share: Double {
      shape.count == 0 ? 1 : Double(elements.count) / Double(shape.count)
    }

    /// The comparisons that lie at a kink.
    public var kinkCount: Int { (elements + directions).count { $0.isAtKink } }

    /// The comparison with the largest error, of those not at a kink.
    public var worst: Sample? {
      (elements + directions).filter { !$0.isAtKink }
        .max { $1.isWorse(than: $0) }
    }
  }

  /// One entry per parameter or input.
  public let targets: [Target]
  /// The largest relative error that passes, beyond the errors of central differences.
  public let tolerance: Double

  /// The target with the largest error and the comparison that shows it.
  public var worst: (target: Target, sample: Sample)? {
    targets.compactMap { target in target.worst.map { (target, $0) } }
      .max { $1.1.isWorse(than: $0.1) }
  }

  /// Indicates that every comparison away from kinks agrees; if all are at kinks nothing was shown.
  public var passes: Bool {
    guard let worst else { return targets.allSatisfy { $0.kinkCount == 0 } }
    return worst.sample.excess <= tolerance
  }
}

extension Graph {
  /// Compares the gradient of the sum of `output` with central differences of four points.
  ///
  /// `(f(−2h) − 8 f(−h) + 8 f(h) − f(2h)) / 12h` with `h = ε^(1/5)` times the size of the element,
  /// whose truncation and rounding errors balance. What disagrees is looked at again with smaller steps, down to
  /// ones that cross no kink: on either side of each relu, maximum and the like lie the elements that lay
  /// there at the center. Beyond the budget a seeded sample of each target is compared, and all of each target
  /// along random directions.
  /// Source: Abramowitz and Stegun, *Handbook of Mathematical Functions*, formula 25.3.6.
  ///
  /// - Parameters:
  ///   - output: The node whose sum is differentiated.
  ///   - targets: Data or parameter nodes; numbers, not labels.
  ///   - values: A value for every leaf that `output` depends on.
  ///   - options: The extent of the comparison.
  /// - Returns: One entry per target, in order.
  /// - Throws: ``GraphError`` if the graph cannot be evaluated or differentiated.
  /// - Complexity: 6 evaluations, of what depends on the target, per element or direction that agrees, at most
  ///   24 for another, and 1.
  public func checkGradient(
    of output: Node, withRespectTo targets: [Node], at values: [String: Tensor],
    options: GradientCheckOptions = GradientCheckOptions()
  ) throws(GraphError) -> GradientCheck {
    var differentiated = self
    let gradients = try differentiated.gradient(of: output, withRespectTo: targets)
    return try differentiated.compare(
      gradients, of: output, withRespectTo: targets, at: values, options: options)
  }

  /// Compares nodes that claim to be the gradient; see ``checkGradient(of:withRespectTo:at:options:)``.
  package func compare(
    _ gradients: [Node], of output: Node, withRespectTo targets: [Node],
    at values: [String: Tensor], options: GradientCheckOptions
  ) throws(GraphError) -> GradientCheck {
    var center: [Tensor?] = Array(repeating: nil, count: count)
    try evaluate(
      isNeeded(for: gradients + [output]), with: values, batch: batch(of: values) ?? 1,
      into: &center)
    let computed = gradients.compactMap { center[$0.index] }
    let largest = computed.reduce(1) { $1.values.reduce($0) { max($0, abs($1)) } }
    let total = targets.reduce(0) { $0 + (values[self[$1].name ?? ""]?.values.count ?? 0) }
    var results: [GradientCheck.Target] = []
    for (target, gradient) in zip(targets, computed) {
      let name = self[target].name ?? ""
      guard let value = values[name] else { throw .missingValue(name) }
      let line = Line(
        through: target, of: output, in: self, values: values, center: center,
        tolerance: options.tolerance, smallestSize: 1e-3 * largest)
      let count = value.values.count
      let budget =
        total <= options.elementBudget
        ? count : max(1, min(count, options.elementBudget * count / max(total, 1)))
      let draws = RandomDraws(
        seed: options.seed, stream: randomStream("gradient check", name))
      var elements: [GradientCheck.Sample] = []
      for element in sample(budget, of: count, draws) {
        var direction = Array(repeating: 0.0, count: count)
        direction[element] = 1
        elements.append(
          try line.compare(
            gradient.values[element], along: direction, size: abs(value.values[element]),
            element: element))
      }
      var directions: [GradientCheck.Sample] = []
      for index in 0..<(count > 0 ? options.directionCount : 0) {
        let start = (index + 1) * count
        let direction = (start..<start + count).map { Double(draws.normal(at: $0)) }
        let product = zip(direction, gradient.values).reduce(0) { $0 + $1.0 * $1.1 }
        let size = value.values.reduce(0) { max($0, abs($1)) }
        directions.append(try line.compare(product, along: direction, size: size, element: nil))
      }
      results.append(
        GradientCheck.Target(
          name: name, shape: value.shape, elements: elements, directions: directions))
    }
    return GradientCheck(targets: results, tolerance: options.tolerance)
  }

  /// Different indices below `count`, in rising order; all of them if `budget` allows.
  private func sample(_ budget: Int, of count: Int, _ draws: RandomDraws) -> [Int] {
    guard budget < count else { return Array(0..<count) }
    // One from each of `budget` equal stretches, so that no part of the array is left out.
    return (0..<budget).map { index in
      let (low, high) = (index * count / budget, (index + 1) * count / budget)
      return low + Int(draws.bits(at: index)[2]) % (high - low)
    }
  }
}
