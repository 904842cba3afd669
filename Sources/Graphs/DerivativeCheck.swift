// Derivatives checked against each other: forward against reverse mode, second derivatives, and products of
// whole Jacobians.
import Numerics
public import Tensors

/// Two numbers that must be the same, and how far they are apart.
public struct Agreement: Hashable, Sendable {
  /// The quantity that was compared.
  public let name: String
  /// The first number.
  public let first: Double
  /// The second number.
  public let second: Double
  /// The difference, relative to the sum of the magnitudes of the terms of both.
  public let relativeError: Double
  /// The size that the difference is relative to.
  let size: Double

  /// Compares two numbers on a scale, of 10⁻⁵ at least: below 10⁻¹⁴ what cancels exactly is rounding alone.
  package init(_ name: String, _ first: Double, _ second: Double, size: Double) {
    self.name = name
    self.first = first
    self.second = second
    self.size = max(size, 1e-5)
    let error = abs(first - second) / self.size
    relativeError = error.isNaN ? .infinity : error
  }

  /// Compares two sums of products, on the scale of the magnitudes of what is summed.
  init(_ name: String, _ first: [Double], _ second: [Double]) {
    self.init(
      name, first.reduce(0, +), second.reduce(0, +),
      size: (first + second).reduce(0) { $0 + abs($1) })
  }

  /// The comparison with so much of the difference taken off.
  func less(_ noise: Double) -> Agreement {
    let difference = first - second
    let rest = max(0, abs(difference) - noise)
    return Agreement(
      name, second + (difference < 0 ? -rest : rest), second, size: size)
  }

  /// The comparison on a scale of at least a millionth of the largest of several.
  ///
  /// A derivative that is zero because much cancels, such as that of a bias before a normalisation, is
  /// noise of rounding that agrees with nothing.
  func onScale(of largest: Double) -> Agreement {
    Agreement(name, first, second, size: max(size, 1e-6 * largest))
  }
}

/// The outcome of all checks of the derivatives of one output.
public struct DerivativeCheck: Sendable {
  /// Reverse mode against central differences.
  public let gradient: GradientCheck
  /// ⟨J·v, u⟩ against ⟨v, Jᵀ·u⟩, one per target: forward mode against reverse mode.
  public let products: [Agreement]
  /// The gradient of ⟨gradient, u⟩ for a random u against central differences.
  public let second: GradientCheck
  /// ⟨u, H·v⟩ against ⟨v, H·u⟩, for random directions through all targets.
  public let symmetry: [Agreement]
  /// Reverse mode against the product of whole Jacobians from the left, at the element of each target that
  /// differs most; nil where this was not asked for.
  public let jacobians: [Agreement]?

  /// Puts the comparisons together.
  package init(
    gradient: GradientCheck, products: [Agreement], second: GradientCheck,
    symmetry: [Agreement], jacobians: [Agreement]?
  ) {
    self.gradient = gradient
    self.products = products
    self.second = second
    self.symmetry = symmetry
    self.jacobians = jacobians
  }

  /// The largest relative difference of two exact derivatives that passes.
  public static let tolerance = 1e-9

  /// Indicates that everything agrees.
  public var passes: Bool {
    gradient.passes && second.passes
      && (products + symmetry + (jacobians ?? []))
        .allSatisfy { $0.relativeError <= DerivativeCheck.tolerance }
  }
}

extension Graph {
  /// Checks all derivatives of the sum of `output`: first and second, by central differences, in forward
  /// and reverse mode, and, on request, by products of whole Jacobians.
  ///
  /// - Parameters:
  ///   - output: The node whose sum is differentiated.
  ///   - targets: Data or parameter nodes; numbers, not labels.
  ///   - values: A value for every leaf that `output` depends on.
  ///   - options: The extent of the comparison.
  ///   - usesJacobians: True to multiply Jacobians too; see ``gradientByJacobians(of:withRespectTo:at:batch:)``.
  /// - Returns: The comparisons.
  /// - Throws: ``GraphError`` if the graph cannot be evaluated or differentiated, or its Jacobians are too
  ///   large.
  public func checkDerivatives(
    of output: Node, withRespectTo targets: [Node], at values: [String: Tensor],
    options: GradientCheckOptions = GradientCheckOptions(), usesJacobians: Bool = false
  ) throws(GraphError) -> DerivativeCheck {
    DerivativeCheck(
      gradient: try checkGradient(
        of: output, withRespectTo: targets, at: values, options: options),
      products: try settled(at: values, seed: options.seed) { (values) throws(GraphError) in
        try checkProducts(of: output, targets, at: values, seed: options.seed)
      },
      second: try checkSecond(of: output, targets, at: values, options: options),
      symmetry: try settled(at: values, seed: options.seed) { (values) throws(GraphError) in
        try checkSymmetry(of: output, targets, at: values, seed: options.seed)
      },
      jacobians: usesJacobians
        ? try settled(at: values, seed: options.seed) { (values) throws(GraphError) in
          try checkJacobians(of: output, targets, at: values)
        } : nil)
  }

  /// Comparisons that do not call noise of rounding a difference.
  ///
  /// Values that differ are computed again with the last bits of all numbers moved. A difference that is a derivative's
  /// own stays as it is; one of rounding, of derivatives that nearly cancel behind a normalisation by almost
  /// nothing, changes as much as it is large, and that much is taken off.
  ///
  /// - Parameters:
  ///   - values: A value for every leaf.
  ///   - seed: The seed of the last bits.
  ///   - compare: Makes the comparisons at some values, the same ones at any.
  /// - Returns: The comparisons at `values`.
  /// - Throws: What `compare` throws.
  package func settled(
    at values: [String: Tensor], seed: UInt64,
    _ compare: ([String: Tensor]) throws(GraphError) -> [Agreement]
  ) throws(GraphError) -> [Agreement] {
    var agreements = try compare(values)
    let differing = agreements.indices.filter {
      agreements[$0].relativeError > DerivativeCheck.tolerance
    }
    guard !differing.isEmpty else { return agreements }
    var noise = Array(repeating: 0.0, count: agreements.count)
    for attempt in 0..<4 {
      var moved = values
      for node in nodes where self[node].operation != .labels {
        guard let name = self[node].name, var value = moved[name] else { continue }
        let draws = RandomDraws(
          seed: seed, stream: randomStream("last bits", name), step: UInt32(attempt))
        for index in value.values.indices where value.values[index] != value.values[index].rounded()
        {
          value.values[index] *= 1 + 0x1p-50 * (Double(draws.uniform(at: index)) - 0.5)
        }
        moved[name] = value
      }
      for (index, other) in try compare(moved).enumerated() {
        let change =
          (agreements[index].first - agreements[index].second) - (other.first - other.second)
        noise[index] = max(noise[index], abs(change))
      }
    }
    for index in differing where noise[index].isFinite {
      agreements[index] = agreements[index].less(4 * noise[index])
    }
    return agreements
  }

  /// Refuses a graph of more elements than its derivatives can be checked on.
  ///
  /// To be called before values are made for it.
  ///
  /// - Parameter batch: The rows.
  /// - Throws: ``GraphError/tooLarge(operation:found:limit:)``.
  package func requireCheckable(batch: Int) throws(GraphError) {
    let limit = 1 << 30
    let count = nodes.reduce(0.0) { $0 + Double(shape(of: $1).resolved(batch: batch).count) }
    guard count > Double(limit) else { return }
    throw .tooLarge(
      operation: "check of derivatives",
      found: "\(Int(exactly: count).map(String.init) ?? "\(count)") elements",
      limit: limit)
  }

  /// ⟨J·v, u⟩ against ⟨v, Jᵀ·u⟩ for random `u` and `v`.
  package func checkProducts(
    of output: Node, _ targets: [Node], at values: [String: Tensor], seed: UInt64
  ) throws(GraphError) -> [Agreement] {
    var agreements: [Agreement] = []
    for target in targets {
      var graph = self
      var values = values
      let u = try graph.direction("u", like: output, seed, &values)
      let v = try graph.direction("v", like: target, seed, &values)
      let forward = try graph.jacobianVectorProduct(of: output, along: [target: v])
      let reverse = try graph.gradient(of: output, cotangent: u, withRespectTo: [target])[0]
      let computed = try graph.evaluate([forward, u, reverse, v], with: values)
      agreements.append(
        Agreement(
          self[target].name ?? "", zip(computed[0].values, computed[1].values).map(*),
          zip(computed[2].values, computed[3].values).map(*)))
    }
    let largest = agreements.map(\.size).max() ?? 0
    return agreements.map { $0.onScale(of: largest) }
  }

  /// The gradient of ⟨∇f, u⟩, which is `H·u`, against central differences of it.
  private func checkSecond(
    of output: Node, _ targets: [Node], at values: [String: Tensor], options: GradientCheckOptions
  ) throws(GraphError) -> GradientCheck {
    var graph = self
    var values = values
    let product = try graph.gradientProduct(of: output, targets, "u", options.seed, &values)
    var fewer = options
    fewer.elementBudget = min(options.elementBudget, 4 * targets.count)
    fewer.directionCount = min(options.directionCount, 2)
    return try graph.checkGradient(
      of: product, withRespectTo: targets, at: values, options: fewer)
  }

  private func checkSymmetry(
    of output: Node, _ targets: [Node], at values: [String: Tensor], seed: UInt64
  ) throws(GraphError) -> [Agreement] {
    var graph = self
    var values = values
    var sides: [[Double]] = []
    var directions: [[Node]] = []
    var products: [Node] = []
    for name in ["u", "v"] {
      products.append(try graph.gradientProduct(of: output, targets, name, seed, &values))
      directions.append(
        try targets.map { (target) throws(GraphError) in
          try graph.direction(name, like: target, seed, &values)
        })
    }
    for (product, other) in zip(products, directions.reversed()) {
      let second = try graph.gradient(of: product, withRespectTo: targets)
      let computed = try graph.evaluate(second + other, with: values)
      sides.append(
        zip(computed[..<targets.count], computed[targets.count...]).flatMap {
          zip($0.values, $1.values).map(*)
        })
    }
    return [Agreement("⟨u, H·v⟩ = ⟨v, H·u⟩", sides[1], sides[0])]
  }

  /// Adds ⟨∇f, d⟩ for a random direction through all targets, a single number.
  private mutating func gradientProduct(
    of output: Node, _ targets: [Node], _ name: String, _ seed: UInt64,
    _ values: inout [String: Tensor]
  ) throws(GraphError) -> Node {
    let gradients = try gradient(of: output, withRespectTo: targets)
    var total: Node?
    for (target, gradient) in zip(targets, gradients) {
      let direction = try direction(name, like: target, seed, &values)
      let product = try add(.multiply, [gradient, direction])
      let sum = try add(.sum(axes: Array(0..<shape(of: product).axisCount)), [product])
      total = if let before = total { try add(.add, [before, sum]) } else { sum }
    }
    return total ?? fill(0, shape: [])
  }

  /// Returns the leaf of that name with random numbers, of the shape of another node.
  private mutating func direction(
    _ name: String, like node: Node, _ seed: UInt64, _ values: inout [String: Tensor]
  ) throws(GraphError) -> Node {
    let leaf = "direction \(name) of node \(node.index)"
    if let known = nodes.first(where: { self[$0].name == leaf }) { return known }
    let concrete = try evaluate([node], with: values)[0].shape
    let draws = RandomDraws(seed: seed, stream: randomStream("derivative check", leaf))
    values[leaf] = Tensor(
      shape: concrete, values: (0..<concrete.count).map { Double(draws.normal(at: $0)) })
    return try data(leaf, shape: shape(of: node))
  }

  // MARK: Whole Jacobians.

  private func checkJacobians(
    of output: Node, _ targets: [Node], at values: [String: Tensor]
  ) throws(GraphError) -> [Agreement] {
    var graph = self
    let reverse = try graph.gradient(of: output, withRespectTo: targets)
    let gradients = try graph.evaluate(reverse, with: values)
    let products = try gradientByJacobians(of: output, withRespectTo: targets, at: values)
    var agreements: [Agreement] = []
    for (target, (gradient, product)) in zip(targets, zip(gradients, products)) {
      // Of each target the element that differs most, on the scale of the largest.
      let size = gradient.values.reduce(0) { max($0, abs($1)) }
      let worst = gradient.values.indices.max {
        abs(gradient.values[$0] - product.values[$0])
          < abs(gradient.values[$1] - product.values[$1])
      }
      guard let worst else { continue }
      agreements.append(
        Agreement(
          self[target].name ?? "", gradient.values[worst], product.values[worst], size: size))
    }
    let largest = agreements.map(\.size).max() ?? 0
    return agreements.map { $0.onScale(of: largest) }
  }

  /// The gradient of the sum of `output` by multiplying whole Jacobians from the left.
  ///
  /// A row vector, at first of ones, goes from the output to the leaves; at each operation it is multiplied by
  /// the operation's whole Jacobian with respect to each operand, whose columns come from forward mode. It
  /// is what reverse mode does without ever writing a Jacobian down, so the two must agree.
  ///
  /// - Parameters:
  ///   - output: The node whose sum is differentiated.
  ///   - targets: Data or parameter nodes.
  ///   - values: A value for every leaf that `output` depends on.
  ///   - batch: The rows computed at once; without it, the extent that the values agree on.
  /// - Returns: One tensor per target, of its shape.
  /// - Throws: ``GraphError/tooLarge(operation:found:limit:)`` beyond 4 million elements of one Jacobian,
  ///   and where evaluation or forward mode throw.
  /// - Complexity: O(Σ outputs · inputs of the operations) numbers, and one evaluation per operand element.
  public func gradientByJacobians(
    of output: Node, withRespectTo targets: [Node], at values: [String: Tensor],
    batch: Int? = nil
  ) throws(GraphError) -> [Tensor] {
    let batch = batch ?? self.batch(of: values)
    let isNeeded = isNeeded(for: [output])
    let needed = nodes.filter { isNeeded[$0.index] }
    let computed = Dictionary(
      uniqueKeysWithValues: zip(needed, try evaluate(needed, with: values, batch: batch)))
    var depends = Set(targets)
    for node in needed where self[node].inputs.contains(where: depends.contains) {
      depends.insert(node)
    }
    var rows: [Node: [Double]] = [:]
    if let value = computed[output] {
      rows[output] = Array(repeating: 1, count: value.values.count)
    }
    for node in needed.reversed() where depends.contains(node) {
      guard let row = rows[node] else { continue }
      let record = self[node]
      for (operand, input) in record.inputs.enumerated() where depends.contains(input) {
        let jacobian = try jacobian(of: node, operand: operand, computed, batch: batch)
        var product = rows[input] ?? Array(repeating: 0, count: jacobian.count)
        for (column, values) in jacobian.enumerated() {
          for (r, value) in zip(row, values) { product[column] += r * value }
        }
        rows[input] = product
      }
    }
    return targets.map { target in
      let shape = computed[target]?.shape ?? []
      return Tensor(
        shape: shape, values: rows[target] ?? Array(repeating: 0, count: shape.count))
    }
  }

  /// The columns of the Jacobian of one operation with respect to one operand, at these values.
  private func jacobian(
    of node: Node, operand: Int, _ computed: [Node: Tensor], batch: Int?
  ) throws(GraphError) -> [[Double]] {
    let record = self[node]
    var alone = Graph()
    var values: [String: Tensor] = [:]
    var inputs: [Node] = []
    for (index, input) in record.inputs.enumerated() {
      let name = "operand \(index)"
      let isLabels = record.operation.rule.takesLabels(operand: index)
      inputs.append(
        try isLabels
          ? alone.labels(name, shape: shape(of: input)) : alone.data(name, shape: shape(of: input)))
      values[name] = computed[input]
    }
    let direction = try alone.data("direction", shape: shape(of: record.inputs[operand]))
    let result = try alone.add(record.operation, inputs)
    // Where a node is an operand twice, each place has a Jacobian of its own.
    let column = try alone.jacobianVectorProduct(of: result, along: [inputs[operand]: direction])
    guard let point = computed[record.inputs[operand]], let value = computed[node] else {
      throw .missingValue(record.name ?? "")
    }
    let (count, limit) = (point.values.count * value.values.count, 4_000_000)
    guard count <= limit else {
      throw .tooLarge(
        operation: record.operation.label,
        found: "a Jacobian of \(value.values.count) × \(point.values.count) elements",
        limit: limit)
    }
    var columns: [[Double]] = []
    for element in point.values.indices {
      var unit = Tensor(
        shape: point.shape, values: Array(repeating: 0, count: point.values.count))
      unit.values[element] = 1
      values["direction"] = unit
      columns.append(try alone.evaluate([column], with: values, batch: batch)[0].values)
    }
    return columns
  }
}
