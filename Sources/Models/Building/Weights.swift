// Weights of products: as they are, or as a direction and a length for each output.
import Configuration
import Graphs
import Tensors

/// The elements of a weight by output: its shape seen as `[groups, before, outputs, after]`.
struct WeightView: Hashable, Sendable {
  let groups: Int
  let before: Int
  let outputs: Int
  let after: Int
}

extension LayerBuilder {
  /// Adds the weight of a layer.
  ///
  /// With normalisation it is `g · v / ‖v‖` for each output. Source: Salimans and Kingma (2016),
  /// https://arxiv.org/abs/1602.07868; initially `g = ‖v‖`, so that the weight is v, as in PyTorch.
  ///
  /// - Parameters:
  ///   - shape: Its shape.
  ///   - initializer: Its initial values.
  ///   - isNormalized: Whether it is a direction and a length for each output.
  ///   - view: The elements that belong to each output.
  /// - Returns: The node of the weight, of that shape.
  /// - Throws: ``ModelError`` where the direction would begin with zeros.
  mutating func weight(
    _ shape: Shape, _ initializer: Initializer, isNormalized: Bool, _ view: WeightView
  ) throws -> Graph.Node {
    guard isNormalized else {
      return try parameter("weight", shape: shape, initially: initializer, kind: .weight)
    }
    guard !initializer.isZero else {
      throw fault(
        found: "'weight_norm' of initial weights 0",
        expected: "others, to divide by their norm")
    }
    let v = try parameter(
      "weight_direction", shape: shape, initially: initializer, kind: .weight)
    let norms = Initializer.Norms(
      name: parameterPath("weight_direction"), shape: shape, initializer: initializer, view: view)
    let g = try parameter(
      "weight_scale", shape: [view.groups * view.outputs], initially: .norms(norms),
      kind: .normalization)
    let isPlain = view.groups == 1 && view.before == 1
    let extents =
      isPlain ? [view.outputs, view.after] : [view.groups, view.before, view.outputs, view.after]
    let kept = isPlain ? [view.outputs, 1] : [view.groups, 1, view.outputs, 1]
    let flat = try graph.reshape(v, to: SymbolicShape(Shape(extents)))
    let squares = try graph.add(.squaredNorm(axes: isPlain ? [1] : [1, 3]), [flat])
    let norm = try graph.reshape(graph.add(.sqrt, [squares]), to: SymbolicShape(Shape(kept)))
    let scale = try graph.reshape(g, to: SymbolicShape(Shape(kept)))
    let weight = try graph.add(.multiply, [flat, graph.add(.divide, [scale, norm])])
    return try graph.reshape(weight, to: SymbolicShape(shape))
  }
}

extension Initializer {
  /// The parameter whose initial values give the norms, and its elements by output.
  public struct Norms: Hashable, Sendable {
    /// The name of the parameter.
    let name: String
    /// Its shape.
    let shape: Shape
    /// Its initial values.
    let initializer: Initializer
    /// The elements that belong to each output.
    let view: WeightView

    /// Writes the norm of each output's elements, summed in double precision.
    func write(into norms: UnsafeMutableBufferPointer<Float>, seed: UInt64) {
      var values = [Float](repeating: 0, count: shape.count)
      values.withUnsafeMutableBufferPointer {
        initializer.write(into: $0, name: name, shape: shape, seed: seed)
      }
      var squares = [Double](repeating: 0, count: norms.count)
      for (index, value) in values.enumerated() {
        let output = index / view.after % view.outputs
        let group = index / (view.after * view.outputs * view.before)
        squares[group * view.outputs + output] += Double(value) * Double(value)
      }
      for (index, square) in squares.enumerated() { norms[index] = Float(square.squareRoot()) }
    }
  }

  /// Indicates that all values are 0.
  var isZero: Bool {
    switch self {
    case .zeros, .constant(0), .uniform(low: 0, high: 0), .normal(mean: 0, deviation: 0): true
    case .constant, .uniform, .normal, .scaled, .norms: false
    }
  }

  /// Returns the initial values of a weight and a bias, or none if they are the usual ones.
  static func own(_ weight: Initializer, _ biasValue: Initializer) -> [Initializer] {
    weight == .scaled(.he, .uniform) && biasValue == .zeros ? [] : [weight, biasValue]
  }
}

extension Section {
  /// Reads whether a weight is a direction and a length for each output.
  func weightNorm() throws(ConfigurationError) -> Bool {
    try boolean(
      "weight_norm", default: false,
      meaning: "whether W is g·v / ‖v‖ for each output, g and v trained")
  }
}
