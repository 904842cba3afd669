public import Configuration
public import Graphs

/// The computation of a layer: its name, and the nodes that it adds to a graph.
///
/// A layer of your own is a value type that conforms to this protocol; ``Layer`` gives it a place in a
/// model. Here is `x · σ(β·x)` with a trained β for each element:
///
/// ```swift
/// struct Swish: LayerKind {
///   var configurationName: String { "swish" }
///
///   func output(of inputs: [Graph.Node], in builder: inout LayerBuilder) throws -> Graph.Node {
///     let x = inputs[0]
///     let beta = try builder.parameter(
///       "beta", shape: builder.rowShape(of: x), initially: .constant(1), kind: .weight)
///     let gate = try builder.graph.sigmoid(builder.graph.add(.multiply, [x, beta]))
///     return try builder.graph.add(.multiply, [x, gate])
///   }
/// }
///
/// let model: [Layer] = [.affine(16), Layer(Swish()), .affine(1)]
/// ```
///
/// Gradients, kernels and sums over ranks follow from the nodes. Everything that decides the nodes is a
/// stored property, since ``Layer/record`` tells models apart by them.
public protocol LayerKind: Hashable, Sendable {
  /// The name of the kind in configurations, messages and tables; a layer without a name of its own is
  /// called by it and a number.
  var configurationName: String { get }

  /// Indicates that the layer takes two or more inputs; others take exactly one.
  var takesSeveralInputs: Bool { get }

  /// Indicates that the layer computes something else in training than in evaluation.
  var differsInTraining: Bool { get }

  /// The initial values of the layer's parameters; empty where they are the usual ones.
  ///
  /// A layer that shares the parameters of another one must leave these as they are, or repeat them.
  var ownInitialValues: [Initializer] { get }

  /// Adds the nodes of the layer.
  ///
  /// - Parameters:
  ///   - inputs: The values that the layer takes, each of shape `[batch, ...]`.
  ///   - builder: The graph that gets the nodes, and the parameters of the layer.
  /// - Returns: The value of the layer, of shape `[batch, ...]`.
  /// - Throws: ``LayerBuilder/fault(found:expected:)`` for inputs that the layer cannot take.
  func output(
    of inputs: [Graph.Node], in builder: inout LayerBuilder
  ) throws -> Graph.Node
}

extension LayerKind {
  /// False: most layers take one input.
  public var takesSeveralInputs: Bool { false }

  /// False: most layers compute the same in training and in evaluation.
  public var differsInTraining: Bool { false }

  /// None.
  public var ownInitialValues: [Initializer] { [] }
}

/// A kind of layer that configurations can name.
///
/// ```swift
/// extension Swish: ConfigurableLayerKind {
///   static var alternatives: [Alternative<any LayerKind>] {
///     [Alternative("swish", meaning: "x · σ(β·x), β trained") { _ in Swish() }]
///   }
/// }
///
/// var catalog = ModelCatalog.builtIn
/// catalog.layers.append(Swish.self)
/// ```
public protocol ConfigurableLayerKind: LayerKind {
  /// The names that configurations write, each with its meaning and its keys.
  static var alternatives: [Alternative<any LayerKind>] { get }
}
