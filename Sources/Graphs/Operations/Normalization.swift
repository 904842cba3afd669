// Normalisation to mean 0 and variance 1 over some axes, and the two products it is differentiated into.
import Tensors

/// A normalisation: the axes that share a mean and a variance, and the number added to the variance.
public struct Normalization: Hashable, Sendable {
  /// The axes over which mean and variance are taken.
  public let axes: [Int]
  /// The number added to the variance, so that the deviation is never zero.
  public let epsilon: Double
  /// Indicates that mean and variance are those of all microbatches of a step; the batch is then among
  /// the axes.
  public let spansMicrobatches: Bool

  /// Describes a normalisation.
  public init(axes: [Int], epsilon: Double = 1e-5, spansMicrobatches: Bool = false) {
    self.axes = axes
    self.epsilon = epsilon
    self.spansMicrobatches = spansMicrobatches
  }

  /// The same over other axes.
  package func over(_ axes: [Int]) -> Normalization {
    Normalization(axes: axes, epsilon: epsilon, spansMicrobatches: spansMicrobatches)
  }
}

extension Normalization {
  /// The attributes of a normalisation, in words.
  static let expectation =
    "a list of axes, what is added to the variance, and 1 if they are of all microbatches"

  /// The attributes of a normalisation in text.
  var attributes: [Attribute] {
    [.axes(axes), .number(epsilon)] + (spansMicrobatches ? [.number(1)] : [])
  }

  /// The shape of means and variances.
  func keptShape(_ shape: SymbolicShape) throws(ShapeFault) -> SymbolicShape {
    guard axes.allSatisfy((0..<shape.axisCount).contains), Set(axes).count == axes.count else {
      throw ShapeFault("found axes \(axes), expected different ones of 0 ..< \(shape.axisCount)")
    }
    let kept = shape.removing(axes: axes)
    guard !spansMicrobatches || kept.isFixed else {
      throw ShapeFault("found axes \(axes) of \(shape), expected that of the batch among them")
    }
    return kept
  }

  func require(
    _ shape: SymbolicShape, is wanted: SymbolicShape, _ name: String
  ) throws(ShapeFault) {
    guard shape == wanted else {
      throw ShapeFault("\(name) has shape \(shape), expected \(wanted)")
    }
  }

  /// The groups of a tensor: for each element, the index of its mean.
  func groups(_ x: Tensor) -> [Int] {
    let kept = Shape(x.shape.extents.indices.map { axes.contains($0) ? 1 : x.shape[$0] })
    return x.shape.sourceIndices(of: kept)
  }

  /// The mean and the variance of each group.
  func moments(
    _ x: Tensor, _ groups: [Int], groupCount: Int
  ) -> (means: [Double], variances: [Double]) {
    let count = Double(axes.reduce(1) { $0 * x.shape[$1] })
    var means = Array(repeating: 0.0, count: groupCount)
    for (value, group) in zip(x.values, groups) { means[group] += value / count }
    var variances = Array(repeating: 0.0, count: groupCount)
    for (value, group) in zip(x.values, groups) {
      variances[group] += (value - means[group]) * (value - means[group]) / count
    }
    return (means, variances)
  }

  /// The normalised elements, their groups, the inverse deviation of each group and its count.
  func normalized(
    _ x: Tensor, groupCount: Int
  ) -> (values: [Double], groups: [Int], inverseDeviations: [Double], count: Double) {
    let groups = groups(x)
    let count = Double(axes.reduce(1) { $0 * x.shape[$1] })
    let (means, variances) = moments(x, groups, groupCount: groupCount)
    let inverses = variances.map { 1 / ($0 + epsilon).squareRoot() }
    let values = zip(x.values, groups).map { ($0 - means[$1]) * inverses[$1] }
    return (values, groups, inverses, count)
  }
}

/// From x, γ and β to `γ · (x − μ) / √(σ² + ε) + β`, with γ and β one per mean.
struct NormalizeRule: OperationRule {
  let normalization: Normalization
  static let signature = OperationSignature(
    "normalize", operands: 3, attributes: 2...3, Normalization.expectation
  ) { $0.normalization.map { .normalize($0) } }
  var attributes: [Attribute] { normalization.attributes }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let kept = try normalization.keptShape(inputs[0])
    try normalization.require(inputs[1], is: kept, "scale")
    try normalization.require(inputs[2], is: kept, "shift")
    return inputs[0]
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let (x, scale) = (call.inputs[0], call.inputs[1])
    let scaleGradient = try graph.add(
      .normalizeScaleGradient(normalization), [call.cotangent, x])
    let shiftGradient = try graph.add(.sum(axes: normalization.axes), [call.cotangent])
    var inputGradient: Graph.Node?
    if call.isWanted[0] {
      // What moves a mean of all microbatches is the cotangent of all of them.
      let s = try graph.crossMicrobatchSum(scaleGradient, if: normalization.spansMicrobatches)
      let t = try graph.crossMicrobatchSum(shiftGradient, if: normalization.spansMicrobatches)
      inputGradient = try graph.add(
        .normalizeInputGradient(normalization), [call.cotangent, x, scale, s, t])
    }
    return [
      inputGradient, call.isWanted[1] ? scaleGradient : nil,
      call.isWanted[2] ? shiftGradient : nil,
    ]
  }
  /// Composed of other operations, whose rules apply.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.jvpOfComposite(call) { (graph, operands) throws(GraphError) in
      try graph.composedNormalize(operands, normalization)
    }
  }
  /// Given the statistics.
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (x, groups, _, _) = normalization.normalized(
      inputs[0], groupCount: inputs[1].values.count)
    return Tensor(
      shape: shape,
      values: zip(x, groups).map { $0 * inputs[1].values[$1] + inputs[2].values[$1] })
  }
}

/// From a cotangent c and x to the gradient of γ: the sums of `c · x̂`.
struct NormalizeScaleGradientRule: OperationRule {
  let normalization: Normalization
  static let signature = OperationSignature(
    "normalize_scale_gradient", operands: 2, attributes: 2...3, Normalization.expectation
  ) { $0.normalization.map { .normalizeScaleGradient($0) } }
  var attributes: [Attribute] { normalization.attributes }
  var symbol: String { "normalize′" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try normalization.require(inputs[0], is: inputs[1], "cotangent")
    return try normalization.keptShape(inputs[1])
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    try graph.vjpOfComposite(call) { (graph, operands) throws(GraphError) in
      try graph.composedScaleGradient(operands[0], operands[1], normalization)
    }
  }
  /// Composed of other operations, whose rules apply.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.jvpOfComposite(call) { (graph, operands) throws(GraphError) in
      try graph.composedScaleGradient(operands[0], operands[1], normalization)
    }
  }
  var sumsRows: Bool { true }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    !normalization.axes.contains(0)
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (x, groups, _, _) = normalization.normalized(inputs[1], groupCount: shape.count)
    var sums = Array(repeating: 0.0, count: shape.count)
    for (index, group) in groups.enumerated() { sums[group] += inputs[0].values[index] * x[index] }
    return Tensor(shape: shape, values: sums)
  }
}

/// From c, x, γ and the gradients s of γ and t of β to the gradient of x:
/// `γ / √(σ² + ε) · (c − t / n − x̂ · s / n)`, n the number of elements that share a mean.
struct NormalizeInputGradientRule: OperationRule {
  let normalization: Normalization
  static let signature = OperationSignature(
    "normalize_input_gradient", operands: 5, attributes: 2...3, Normalization.expectation
  ) { $0.normalization.map { .normalizeInputGradient($0) } }
  var attributes: [Attribute] { normalization.attributes }
  var symbol: String { "normalize′" }
  var label: String { "normalize'" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let kept = try normalization.keptShape(inputs[1])
    try normalization.require(inputs[0], is: inputs[1], "cotangent")
    try normalization.require(inputs[2], is: kept, "scale")
    try normalization.require(inputs[3], is: kept, "scale gradient")
    try normalization.require(inputs[4], is: kept, "shift gradient")
    return inputs[1]
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    try graph.vjpOfComposite(call) { (graph, operands) throws(GraphError) in
      try graph.composedInputGradient(operands, normalization)
    }
  }
  /// Composed of other operations, whose rules apply.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.jvpOfComposite(call) { (graph, operands) throws(GraphError) in
      try graph.composedInputGradient(operands, normalization)
    }
  }
  /// Given the statistics.
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (x, groups, inverses, count) = normalization.normalized(
      inputs[1], groupCount: inputs[2].values.count)
    let (c, scale, s, t) = (inputs[0].values, inputs[2].values, inputs[3].values, inputs[4].values)
    return Tensor(
      shape: shape,
      values: x.indices.map { i in
        let g = groups[i]
        return scale[g] * inverses[g] * (c[i] - t[g] / count - x[i] * s[g] / count)
      })
  }
}

/// Means, then variances, of what a normalisation of x takes together.
struct MomentsRule: OperationRule {
  let normalization: Normalization
  static let signature = OperationSignature(
    "moments", operands: 1, attributes: 2...3, Normalization.expectation
  ) { $0.normalization.map { .moments($0) } }
  var attributes: [Attribute] { normalization.attributes }
  var symbol: String { "μ, σ²" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    SymbolicShape([2] + (try normalization.keptShape(inputs[0])).extents)
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    try graph.vjpOfComposite(call) { (graph, operands) throws(GraphError) in
      try graph.composedMoments(operands[0], normalization)
    }
  }
  /// Composed of other operations, whose rules apply.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.jvpOfComposite(call) { (graph, operands) throws(GraphError) in
      try graph.composedMoments(operands[0], normalization)
    }
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    !normalization.axes.contains(0)
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (means, variances) = normalization.moments(
      inputs[0], normalization.groups(inputs[0]), groupCount: shape.count / 2)
    return Tensor(shape: shape, values: means + variances)
  }
}

/// The mean of `(x − μ)²` over axes, which are dropped.
struct VarianceRule: OperationRule {
  let axes: [Int]
  static let signature = OperationSignature(
    "variance", attributes: 1...1, "a list of axes such as [0, 2]"
  ) {
    $0.axes(0).map { .variance(axes: $0) }
  }
  var attributes: [Attribute] { [.axes(axes)] }
  var symbol: String { "var" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try Normalization(axes: axes).keptShape(inputs[0])
  }
  /// `2c / n · (x − μ)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let x = call.inputs[0]
    let factor = MeanRule(axes: axes).factor(graph.shape(of: x)) * Factor(2)
    let scaled = try graph.add(.scale(factor), [call.cotangent])
    let centered = try graph.centered(x, over: axes)
    return [
      try graph.add(.multiply, [graph.expanded(scaled, along: axes, toShapeOf: x), centered])
    ]
  }
  /// The mean of `t · 2 (x − μ)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let slope = try graph.scale(graph.centered(call.inputs[0], over: axes), by: 2)
    return try graph.product(call.tangent, slope).map { (p) throws(GraphError) in
      try graph.add(.mean(axes: axes), [p])
    }
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    !axes.contains(0)
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (_, _, inverses, _) = Normalization(axes: axes, epsilon: 0).normalized(
      inputs[0], groupCount: shape.count)
    return Tensor(shape: shape, values: inverses.map { 1 / ($0 * $0) })
  }
}

extension [Attribute] {
  /// The normalisation that is written as a list of axes, a number, and perhaps 1.
  var normalization: Normalization? {
    guard let axes = integers(0), let epsilon = number(1), epsilon >= 0,
      count == 2 || self[2] == .number(1)
    else { return nil }
    return Normalization(axes: axes, epsilon: epsilon, spansMicrobatches: count == 3)
  }
}
